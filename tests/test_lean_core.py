"""The library needs torch, numpy, safetensors, jaxtyping and lazy-loader; commands, studies and reports need the extra `lab`."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from processes import ENVIRONMENT, Forge

LAB = ("cyclopts", "jinja2", "joblib", "matplotlib", "platformdirs", "plotly", "polars", "pydantic", "rich", "scipy", "sklearn", "yaml")
BLOCK = f"""
import sys
from importlib.machinery import PathFinder

class WithoutLab(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {LAB!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutLab
"""
NAMESPACES = (
    "power",
    "csi",
    "budget",
    "channels",
    "tr38901",
    "bounds",
    "baselines",
    "digital",
    "metrics",
    "data",
    "nn",
    "networks",
    "surfaces",
    "nonlinear",
    "deploy",
)
A_USERS_SCRIPT = """
import torch
import latentlink as ll

for name in {namespaces}:
    namespace = getattr(ll, name)
    for member in dir(namespace):
        getattr(namespace, member)

generator = torch.Generator().manual_seed(0)
cause = torch.randn(240, 4, generator=generator)
x = cause @ torch.randn(4, 8, generator=generator) + 0.1 * torch.randn(240, 8, generator=generator)
y = cause @ torch.randn(4, 6, generator=generator) + 0.1 * torch.randn(240, 6, generator=generator)
modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(3,), generator=generator), snr_db=20.0)
solution = ll.ClosedForm().design(modes, channel)
solution.transceiver.save("link.safetensors")
link = ll.load("link.safetensors")
assert torch.equal(link.encode(x.double()), solution.transceiver.encode(x.double()))
training = ll.CodecTraining(
    max_symbols=2, width=8, rounds=1, steps=4, bank=(64, 16, 32), draws=ll.channels.ChannelDraws(antennas=(1, 2), uses=(1,))
)
fit = training.fit(modes, ll.Pilots(x, y, torch.zeros(240, dtype=torch.int64)), ll.objectives.Regression())
assert fit.codec.design(channel).transceiver.encode(x.double()).shape[0] == 3
print("worked")
"""


@pytest.fixture(scope="module")
def lean():
    """Runs code in forks of a process that cannot import the lab's packages."""
    started = Forge(BLOCK + "import torch, torch._dynamo\n")
    yield started
    started.close()


def test_the_requirements_are_those_of_the_core():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert core == {"torch", "numpy", "jaxtyping", "lazy-loader", "safetensors", "latentlink-runtime"}


def test_the_core_designs_saves_loads_and_trains_without_the_lab(tmp_path, lean):
    run = lean.run(A_USERS_SCRIPT.format(namespaces=NAMESPACES), folder=tmp_path)
    assert run.stdout == "worked\n", run.stderr


def test_the_command_without_the_lab_says_so_in_a_sentence(tmp_path, lean):
    run = lean.run("from latentlink.__main__ import main; main()", "--help", folder=tmp_path)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr == ("The commands of latentlink need cyclopts, which is not installed: pip install 'latentlink[lab]'\n")


@pytest.mark.parametrize("door", ["run", "report"])
def test_studies_without_the_lab_say_so_in_a_sentence(tmp_path, lean, door):
    run = lean.run(f"import latentlink as ll; ll.studies.{door}", folder=tmp_path)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].endswith("Studies need polars, which is not installed: pip install 'latentlink[lab]'")


def test_names_can_be_listed_and_asked_for_without_the_lab(tmp_path, lean):
    code = """
import inspect, pydoc
from latentlink import *
import latentlink as ll
assert hasattr(ll, "studies") and not hasattr(ll.studies, "run")
assert dict(inspect.getmembers(ll))["studies"] is studies
assert "Read `sections`" in pydoc.render_doc(ll.studies) and "Semantic MIMO" in pydoc.render_doc(ll)
print("worked")
"""
    run = lean.run(code, folder=tmp_path)
    assert run.stdout == "worked\n", run.stderr


@pytest.mark.parametrize("suffix", [".npy", ".pt", ".safetensors"])
def test_latents_are_read_without_the_lab_and_parquet_names_it(tmp_path, lean, suffix):
    code = f"""
import latentlink as ll, torch
ll.data.write_array("x{suffix}", torch.ones(3, 2))
print(tuple(ll.data.read_latents("x{suffix}").shape))
open("x.parquet", "w").write("PAR1")
ll.data.read_latents("x.parquet")
"""
    run = lean.run(code, folder=tmp_path)
    assert run.stdout == "(3, 2)\n"
    assert "polars is needed for this and is not installed: pip install latentlink[lab]" in run.stderr.splitlines()[-1]


def test_help_and_version_answer_without_torch(tmp_path):
    code = """
import sys
from latentlink.__main__ import main
for argument in ("--help", "--version"):
    sys.argv[1:] = [argument]
    try:
        main()
    except SystemExit as end:
        assert not end.code
    print("end of", argument)
assert "torch" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    shown, _, version = run.stdout.partition("end of --help")
    assert shown.strip()
    assert version.partition("end of --version")[0].strip()
