"""Every public object shows itself in one line, and as a small table in a notebook."""

import inspect
from enum import Enum

import pytest
import torch

import latentlink as ll
from latentlink import objectives, tr38901
from latentlink.neural.codec.training import CodecFit
from latentlink.numerics.reprs import Summarised
from neural.codec.clouds import channel, training, world

NAMESPACES = (
    ll,
    ll.power,
    ll.csi,
    ll.budget,
    ll.channels,
    tr38901,
    ll.bounds,
    ll.baselines,
    ll.digital,
    ll.metrics,
    ll.data,
    ll.nn,
    objectives,
)
LONGEST, LARGEST = 300, 3000  # characters of a line and of a table


def public_classes():
    found = {getattr(space, name) for space in NAMESPACES for name in space.__all__ if isinstance(getattr(space, name), type)}
    return {
        kind
        for kind in found
        if not inspect.isabstract(kind) and not getattr(kind, "_is_protocol", False) and not issubclass(kind, Exception | Enum)
    }


def objects():
    """An object of every public class that is large in itself, and several of those with tensors in their settings."""
    data, unseen, head, modes = world()
    radio, moments = channel(batch=(5,)), ll.Moments.from_pairs(data.x, data.y)
    codec = training().untrained(modes, data)
    exact = ll.ClosedForm().design(modes, radio)
    seen = ll.evaluate(exact, unseen.x, unseen.y, channel=radio, head=head, labels=unseen.labels, generator=0)
    alignment = ll.baselines.LeastSquares().fit(moments)
    yield from (data, moments, modes, radio, head, codec, exact, exact.transceiver, seen, alignment, ll.Status.OPTIMAL)
    yield CodecFit(codec, {"training_loss": torch.rand(30)})
    yield codec.design(radio).transceiver
    yield from (ll.metrics.accuracy(head, unseen.y, unseen.labels), ll.metrics.Rate.of(3, 9), exact.transceiver.flops)
    yield ll.metrics.peaks(exact.transceiver, unseen.x)
    yield ll.metrics.Amplifier.above_mean(radio, 3.0)
    yield ll.bounds.AccuracyBound.of(head(unseen.y).argmax(-1), unseen.labels)
    yield ll.data.ImageSet("pictures", torch.zeros(40, 8, 8, dtype=torch.uint8), torch.zeros(40, dtype=torch.int64), ("cat", "dog"))
    yield ll.data.DevicePair(data, unseen, "left", "right", "clouds")
    yield ll.data.from_callable("flat", lambda images: images.flatten(1), 64, "1")
    yield from (
        ll.power.PerAntenna(limits=torch.rand(64)),
        ll.power.PerAntenna(limits=torch.rand(2)),
        ll.power.PerMessage(x=data.x, y=data.y),
    )
    yield ll.csi.ReceiverOnly(correlation=torch.eye(16, dtype=torch.complex128))
    yield from (
        objectives.HeadDivergence(head),
        objectives.Regression(head),
        objectives.Regression(),
        ll.Goal.fisher(head, data.y),
    )
    yield from (
        ll.Admm(power=ll.power.PerAntenna(limits=torch.rand(64))),
        ll.ClosedForm(csi=ll.csi.ReceiverOnly(correlation=torch.eye(16))),
    )
    yield from (ll.CodecTraining(), ll.CodecTraining(budget=ll.budget.Flops(6e5), power=ll.power.Mean(peak=2.0)), ll.Neural())
    yield from (ll.nn.Precoder(exact.transceiver), ll.nn.Decoder(exact.transceiver), ll.nn.ChannelLayer(radio))
    yield from (ll.SparsePrecoder(moments, 9), ll.ConstantModulus(moments), ll.ActiveAntennas(2), ll.PilotSelection(), ll.Augmentation())
    yield from (ll.budget.Weights(0.5), ll.budget.Latency(5.0), ll.HardThreshold(3.0), ll.SoftThreshold(2.0))


SETTINGS = (
    *(
        "Mean",
        "PerUse",
        "Equal",
        "OneUseAtATime",
        "Perfect",
        "BothEnds",
        "Transmitter",
        "TransmitterOnly",
        "Unaware",
    ),
    *("Cosine", "Retrieval", "ChannelDraws", "LeastSquares", "Procrustes", "SvdEqualiser", "ZeroForcing", "MmseEqualiser"),
)


def every():
    made = list(objects())
    kinds = {kind.__name__: kind for kind in public_classes()}
    return made + [kinds[name]() for name in SETTINGS]


def test_every_public_object_is_one_line_and_a_small_table():
    wrong = []
    for thing in every():
        line, table = repr(thing), getattr(thing, "_repr_html_", lambda: "")()
        if "\n" in line or len(line) > LONGEST or " object at 0x" in line or not table.startswith("<table") or len(table) > LARGEST:
            wrong.append(f"{type(thing).__name__}: {len(line)} characters, table of {len(table)}: {line[:90]}")
    assert not wrong, "\n".join(wrong)


def test_every_public_class_has_the_one_mechanism():
    assert not sorted(kind.__name__ for kind in public_classes() if not issubclass(kind, Summarised))


def test_settings_read_as_they_are_written():
    for text in ("Flops(flops=600000)", "Mean(peak=2.0)", "Weights(share=0.05)", "PilotSelection(per_class=3, method='centroid', "):
        made = eval(text + (")" if text.endswith(" ") else ""), {**vars(ll.budget), **vars(ll.power), "PilotSelection": ll.PilotSelection})
        assert repr(made).startswith(text.removesuffix(")"))
    assert repr(ll.CodecTraining(budget=ll.budget.Flops(6e5), rounds=10)) == "CodecTraining(rounds=10, budget=Flops(flops=600000))"


@pytest.mark.parametrize(
    ("limits", "shown"), [([0.1, 0.2], "[0.1, 0.2]"), ([0.5] * 64, "64: 0.5"), ([0.5, 1.0] * 32, "64: 0.75 (0.5 to 1)")]
)
def test_tensors_are_shown_by_what_they_hold(limits, shown):
    assert repr(ll.power.PerAntenna(limits=torch.tensor(limits))) == f"PerAntenna(limits={shown})"
