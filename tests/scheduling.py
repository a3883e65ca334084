"""Which worker of pytest-xdist runs which files, and in which order, so that the workers end together.

A file is run by one worker, whose tests share what it makes. Files that use one process that forks are run by one worker, too, which then
starts it once. What takes long begins first: whatever is short fills the end.
"""

from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "forge": (
        *("tests/integration/test_cli.py", "tests/integration/test_cli_tasks.py"),
        *("tests/integration/test_study.py", "tests/integration/test_first_hour.py"),
        *("tests/integration/test_examples.py", "tests/integration/test_quickstart.py"),
        *("tests/integration/test_readme.py", "tests/integration/test_gallery.py"),
        *("tests/cli/test_encodings.py", "tests/data/test_cache.py", "tests/studies/test_benchmark.py"),
    ),
    "clusters": ("tests/execution/test_cluster.py", "tests/studies/running/test_cluster.py"),
}
LONGEST = (  # by the time they take, from 25 s to 4 s where all take 600 s; a file that is missing here begins later, and no more
    *("runtime/serve/test_processes", "report/test_page", "neural/codec/test_codec_training", "channels/tr38901/test_tr38901"),
    *("runtime/serve/test_nodes", "runtime/radio/test_stream", "studies/running/test_situation", "laws/test_modes_of_torch"),
    *("studies/test_tasks", "packaging/test_benchmarks", "data/sharded/test_memory", "linear/admm/test_admm"),
    *("golden/test_numbers_hold", "studies/running/test_ahead", "test_doctests", "data/sharded/test_evaluation"),
    *("deploy/test_over_air", "runtime/serve/test_view", "linear/admm/test_dual_bound", "runtime/radio/test_mutants"),
    *("report/test_figures", "data/sharded/test_checkpoint", "studies/running/test_runner", "runtime/gnuradio/test_loops"),
    *("laws/test_optimality", "test_rooms", "laws/test_admm_never_beats_the_exact_design", "runtime/gnuradio/test_sessions"),
    *("runtime/serve/test_epochs", "runtime/radio/test_estimation", "laws/test_imperfect_csi", "test_lean_core", "studies/test_results"),
    *("studies/spec/test_spec", "digital/test_digital", "neural/paper/test_training", "laws/test_csi_cases", "runtime/test_files"),
    *("studies/methods/test_codec_method", "neural/paper/test_together", "conformance/test_designs", "linear/robust/test_robust"),
    *("studies/test_experiments", "report/test_axes", "digital/test_sources", "neural/codec/test_codec_pruning"),
    *("runtime/serve/test_overload", "neural/codec/test_power_fit", "baselines/test_first_k_eigen_k", "runtime/iq/test_overload"),
)
_UNITS = {file: name for name, files in TOGETHER.items() for file in files}
_ORDER = {unit: place for place, unit in enumerate((*TOGETHER, *(f"tests/{name}.py" for name in LONGEST)))}


def unit(nodeid: str) -> str:
    """What one worker runs: a file, or the files that belong together."""
    file = nodeid.partition("::")[0]
    return _UNITS.get(file, file)


def place(nodeid: str) -> int:
    """Of a test in the order of all: long units first."""
    return _ORDER.get(unit(nodeid), len(_ORDER))


class ByUnit(LoadFileScheduling):
    """Gives units to workers in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
