"""The conformance kit: PyTorch and NumPy make of every file what is expected, and the kit is what its script makes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import latentlink as ll
import latentlink_runtime as lr
from latentlink_runtime.conformance import TOLERANCE, Case, cases, difference, differences

FOLDER = Path(__file__).parents[2] / "runtime" / "conformance"
CASES = list(cases(FOLDER))
FULL = [case for case in CASES if ".device." not in case.link.name]
HEAD = lr.load(FOLDER / "head.safetensors")


class TorchDesign:
    """What the library designs, with arrays in place of tensors."""

    def __init__(self, path):
        self.made = ll.load(path)

    def design(self, channel):
        known = ll.Channel(*(np.array(getattr(channel, name)) for name in ("h", "noise_variance", "power")))
        design = self.made.design if isinstance(self.made, ll.Codec) else lambda at: ll.ClosedForm().design(self.made, at)
        return TorchLink(design(known).transceiver.to(torch.float32))


class TorchLink:
    """A link of the library, with arrays in place of tensors."""

    def __init__(self, link):
        self.link = link

    def encode(self, x):
        return self.link.encode(x).resolve_conj().numpy()

    def receive(self, r):
        return self.link.receive(r).numpy()

    def decode(self, r):
        return self.link.decode(r).numpy()

    def matched_to(self, channel):
        values = [np.array(getattr(channel, name)) for name in ("h", "noise_variance", "power")]
        other = ll.Channel(*values, error_variance=np.array(channel.error_variance)).to(torch.float64)
        return TorchLink(self.link.to(torch.float64).matched_to(other).to(torch.float32))


def test_the_kit_has_every_kind_of_link_and_fits_into_two_megabytes():
    assert len(CASES) >= 40
    assert {case.kind for case in CASES} == {"link", "design"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_000_000
    limits = {lr.load(case.link).limit.word for case in CASES if not case.link.name.startswith("pair.")}
    codec = lr.load(FOLDER / "codec-mean.safetensors")
    assert codec.power is not None
    assert 0 < codec.gate.mean() < 1
    assert limits >= {"mean", "per-use", "per-message", "per-antenna", "equal", "one-use-at-a-time"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_numpy_conforms(case: Case):
    found = differences(case, head=HEAD)
    assert max(found.values()) <= TOLERANCE, found


@pytest.mark.parametrize("case", FULL, ids=lambda case: case.name)
def test_torch_conforms(case: Case):
    found = differences(case, read=TorchDesign if case.kind == "design" else lambda path: TorchLink(ll.load(path)))
    assert max(found.values()) <= TOLERANCE, found


def test_an_implementation_that_errs_does_not_conform():
    """Each fault of a receiver or transmitter that a port may have is seen by the kit."""
    case = next(case for case in CASES if case.name == "codec-mean-design-4x4-2")
    link = lr.load(case.link).design(case.channel())
    expected, r = case.expected, case.expected["r"]
    assert difference(link.decode(r.conj()), expected["y"]) > 0.01
    assert difference(link.decode(r[..., ::-1]), expected["y"]) > 0.01
    assert difference(link.encode(expected["x"] * 1.00001), expected["s"]) > TOLERANCE
    assert difference(link.decode(r)[:, :-1], expected["y"]) == float("inf")


def test_numpy_serves_batches_of_channels_as_it_serves_one():
    design = lr.load(FOLDER / "codec-mean.safetensors")
    generator = np.random.default_rng(0)
    h = (generator.normal(size=(6, 1, 4, 4)) + 1j * generator.normal(size=(6, 1, 4, 4))) / 2**0.5
    x = CASES[0].expected["x"]
    for made in (design, lr.load(FOLDER / "pair.safetensors")):
        together = made.design(lr.Channel(h, 0.1))
        s = together.encode(x)
        assert s.shape == (6, len(x), 1, 4)
        r = np.einsum("curt,cnut->cnur", h, s).astype(np.complex64)
        y = together.matched_to(lr.Channel(h, 0.2)).decode(r)
        for number in range(6):
            alone = made.design(lr.Channel(h[number], 0.1))
            np.testing.assert_allclose(alone.encode(x), s[number], atol=1e-6)
            np.testing.assert_allclose(alone.matched_to(lr.Channel(h[number], 0.2)).decode(r[number]), y[number], atol=2e-5)


def test_the_runtime_needs_neither_torch_nor_what_the_library_needs(tmp_path):
    """In a process of its own, which sees what was imported once a link was loaded, encoded and decoded."""
    script = f"""
import sys
import numpy as np
import latentlink_runtime as lr
from latentlink_runtime.conformance import cases, differences
from pathlib import Path
case = next(iter(cases(Path({str(FOLDER)!r}))))
assert max(differences(case).values()) < 1e-6
foreign = {{"torch", "jaxtyping", "sionna", "scipy", "polars", "latentlink", "lazy_loader"}}
print(sorted({{name.split(".")[0] for name in sys.modules}} & foreign))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"
