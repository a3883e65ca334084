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
        *("tests/cli/test_encodings.py", "tests/data/test_cache.py"),
    ),
    "clusters": ("tests/execution/test_cluster.py", "tests/studies/running/test_cluster.py"),
}
LONGEST = (  # by processor time, from 45 s to 10 s where all take 1000 s; a file that is missing here begins later, and no more
    *("neural/codec/test_codec_training", "neural/codec/test_codec", "neural/codec/test_codec_pruning", "laws/test_optimality"),
    *("packaging/test_benchmarks", "data/sharded/test_memory", "studies/methods/test_codec_method"),
    *("channels/tr38901/test_tr38901", "studies/test_tasks", "report/test_page", "laws/test_modes_of_torch"),
    *("studies/running/test_situation", "studies/running/test_ahead", "linear/admm/test_admm", "golden/test_numbers_hold"),
    *("laws/test_admm_never_beats_the_exact_design", "linear/admm/test_dual_bound", "studies/running/test_runner"),
    *("laws/test_csi_cases", "storage/test_forgeries", "laws/test_imperfect_csi", "linear/robust/test_robust", "linear/test_power"),
    *("conformance/test_designs", "data/sharded/test_evaluation", "digital/test_digital", "studies/test_own_code", "report/test_axes"),
    *("neural/paper/test_together", "neural/paper/test_training", "conformance/test_transceivers", "test_lean_core"),
    *("laws/test_invariances", "data/sharded/test_checkpoint", "studies/test_experiments", "baselines/test_first_k_eigen_k"),
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
