"""Makes the conformance kit anew with PyTorch: `python runtime/conformance/make.py`. Only what is meant to change may change."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

import latentlink as ll
from latentlink.deploy.device import export_device
from latentlink.neural.codec.gate import Gate
from latentlink.numerics.threads import one_thread

HERE = Path(__file__).parent
SIZES = ((1, 1, 1), (2, 2, 1), (4, 4, 2), (8, 8, 1), (4, 2, 3), (2, 4, 4), (1, 4, 2), (3, 3, 1))  # n_rx, n_tx, uses
LARGEST = (2, 4, 4)
MESSAGES = 5
POWER = 2.0


def pairs() -> ll.Pilots:
    """Latents of 24 and 18 dimensions that are related nonlinearly, with means far from zero, of four classes."""
    generator = torch.Generator().manual_seed(0)
    cause = torch.randn(600, 8, generator=generator, dtype=torch.float64)
    x = cause @ torch.randn(8, 24, generator=generator, dtype=torch.float64) + 2.0
    x = x + 0.3 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    y = (cause @ torch.randn(8, 18, generator=generator, dtype=torch.float64)).tanh() * 3 - 1.0
    y = y + 0.1 * torch.randn(y.shape, generator=generator, dtype=torch.float64)
    return ll.Pilots(x, y, (cause[:, 0] > 0).long() + 2 * (cause[:, 1] > 0).long())


def channel(n_rx: int, n_tx: int, uses: int, seed: int) -> ll.Channel:
    """A channel whose uses differ, with a power other than 1."""
    h = ll.rayleigh(n_rx, n_tx, batch=(uses,), generator=seed)
    return ll.Channel.from_grid(h, snr_db=12.0, power=POWER)


def real(value: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones in the last axis."""
    return torch.view_as_real(value.resolve_conj().contiguous()) if value.is_complex() else value


def expected(link: Any, known: ll.Channel, x: Tensor, head: ll.SoftmaxHead) -> dict[str, Tensor]:
    """What a link makes of latents and of what is received, and what it makes of that once its receiver is matched to another channel."""
    known = known.to(torch.float32)
    other = ll.Channel(0.9 * known.h + 0.1, 1.3 * known.noise_variance, known.power, error_variance=0.01)
    s = link.encode(x)
    r = known.apply(s, generator=1)
    matched = link.to(torch.float64).matched_to(other.to(torch.float64)).to(torch.float32)  # float32 would lose two digits in its inverse
    values = {"x": x, "s": s, "r": r, "coefficients": link.receive(r), "y": link.decode(r), "outputs": head(link.decode(r).double())}
    values |= {"matched.y": matched.decode(r), "matched.coefficients": matched.receive(r)}
    values |= {f"{name}.{part}": value for name, at in (("channel", known), ("matched", other)) for part, value in vars(at).items()}
    return {name: real(value).to(torch.float32).contiguous().clone() for name, value in values.items()}


def linear_links(modes: ll.SemanticModes, pilots: ll.Pilots) -> dict[str, tuple[Any, ll.Channel]]:
    """A link for every power limit and size."""
    limits = {"mean": ll.power.Mean(), "per-use": ll.power.PerUse(), "per-message": ll.power.PerMessage(x=pilots.x, y=pilots.y)}
    limits |= {"equal": ll.power.Equal(), "one-use-at-a-time": ll.power.OneUseAtATime()}
    made: dict[str, tuple[Any, ll.Channel]] = {}
    for number, size in enumerate(SIZES):
        at = channel(*size, seed=number)
        few = ("mean",) if size == LARGEST else ("mean", "per-message")  # whose files are the largest
        words = limits if number == 2 else {word: limits[word] for word in few}
        for word, limit in words.items():
            made[f"link-{word}-{name_of(size)}"] = ll.ClosedForm(power=limit).design(modes, at).transceiver, at
    at = channel(*SIZES[2], seed=2)
    admm = ll.Admm(power=ll.power.PerAntenna(), max_iterations=20)
    made[f"link-per-antenna-{name_of(SIZES[2])}"] = admm.design(modes, at).transceiver, at
    return made


def codecs(modes: ll.SemanticModes, pilots: ll.Pilots, head: ll.SoftmaxHead) -> dict[str, ll.Codec]:
    """A small codec for every power limit: that of the mean with its own gate and fit of the power, the others on for all channels."""
    made = {}
    for word, limit in (("mean", ll.power.Mean()), ("peak", ll.power.Mean(peak=2.0)), ("per-message", ll.power.PerMessage())):
        small: dict[str, Any] = {"modes": 18, "width": 16, "layers": 2, "max_symbols": 8, "rounds": 6, "steps": 60, "bank": (64, 64, 1500)}
        training = ll.CodecTraining(**small, power=limit, margin=0.0)
        codec = training.fit(modes, pilots, ll.objectives.HeadDivergence(head), progress=None).codec
        made[f"codec-{word}"] = codec if word == "mean" else codec.with_gate(Gate.always())
    return made


def device_cases(cases: list[dict[str, str]]) -> list[dict[str, str]]:
    """Files for devices of the pair and the codec, and what is expected of them: what is expected of the full files."""
    made = []
    for full in ("pair.safetensors", "codec-mean.safetensors"):
        device = export_device(HERE / full, HERE / full.replace(".", ".device.")).name
        made += [{**case, "name": f"device-{case['name']}", "file": device} for case in cases if case["file"] == full]
    return made


def name_of(size: tuple[int, int, int]) -> str:
    """Antennas and uses, such as 4x4-2."""
    return f"{size[0]}x{size[1]}-{size[2]}"


def main() -> None:
    """Write every file of the kit, and `cases.json`, which lists them."""
    for old in HERE.glob("*.safetensors"):
        old.unlink()
    pilots = pairs()
    x = pilots.x[:MESSAGES]
    head = ll.fit_head(pilots.y, pilots.labels)
    modes = ll.semantic_modes(ll.Moments.from_pairs(pilots.x, pilots.y))
    head.save(HERE / "head.safetensors")
    modes.save(HERE / "pair.safetensors")
    cases: list[dict[str, str]] = []

    def keep(name: str, file: str, kind: str, link: Any, at: ll.Channel) -> None:
        safetensors.torch.save_file(expected(link, at, x, head), HERE / f"{name}.expected.safetensors")
        cases.append({"name": name, "file": file, "kind": kind, "expected": f"{name}.expected.safetensors"})

    for name, (link, at) in linear_links(modes, pilots).items():
        saved = link.to(torch.float32)
        saved.save(HERE / f"{name}.safetensors")
        keep(name, f"{name}.safetensors", "link", saved, at)
    for number, size in enumerate(SIZES):
        at = channel(*size, seed=10 + number)
        keep(f"design-{name_of(size)}", "pair.safetensors", "design", ll.ClosedForm().design(modes, at).transceiver.to(torch.float32), at)
    for name, codec in codecs(modes, pilots, head).items():
        codec.save(HERE / f"{name}.safetensors")
        for number, size in enumerate(SIZES if name == "codec-mean" else SIZES[1:4]):
            at = channel(*size, seed=20 + number)
            keep(f"{name}-design-{name_of(size)}", f"{name}.safetensors", "design", codec.design(at).transceiver, at)
        if name == "codec-mean":
            for word, gate in (("on", codec.gate), ("off", Gate(torch.zeros_like(codec.gate.open)))):
                at = channel(4, 4, 1, seed=30)
                link = codec.with_gate(gate).design(at).transceiver
                link.save(HERE / f"codec-link-{word}.safetensors")
                keep(f"codec-link-{word}", f"codec-link-{word}.safetensors", "link", link, at)
    cases += device_cases(cases)
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
    print(f"{len(cases)} cases, {sum(path.stat().st_size for path in HERE.iterdir()) / 2**20:.2f} MiB")


if __name__ == "__main__":
    with one_thread():
        main()
