"""Whatever takes a channel counts the interference of it, or refuses it by name."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from laws import public_surface

HONOURING = {  # what takes a channel with interference: it counts there, or nothing of the noise does
    "ClosedForm.design", "LiftedLink.design", "MixtureLink.design", "held_out", "bounds.pilot_price",  # by its design
    "BothEnds.design", "Perfect.design", "Transmitter.design", "Unaware.design",
    "BothEnds.at_reception", "Perfect.at_reception", "ReceiverOnly.at_reception", "Transmitter.at_reception",
    "TransmitterOnly.at_reception", "Unaware.at_reception",
    "LinearTransceiver", "LinearTransceiver.matched_to", "LiftedTransceiver.matched_to", "MixtureTransceiver.matched_to",
    "TopKTransceiver.matched_to", "networks.UserCodecLink", "UserCodecLink.matched_to",
    "evaluate", "transmit", "nn.ChannelLayer", "data.evaluate_shards",  # sent through
    "ChannelEstimator.known", "csi.age_estimate", "csi.quantise_feedback",  # kept
    "ActiveAntennas.usable", "ConstantModulus.usable", "SparsePrecoder.usable", "surfaces.SurfaceSolution",
    "ActiveAntennas.check", "ConstantModulus.check", "SparsePrecoder.check", "Handshake.of_numbers", "csi.feedback_bits",  # sizes
    "Leakage.correlation", "Amplifier.above_mean", "metrics.latency",
    "baselines.DecisionTransceiver", "digital.DigitalTransceiver", "digital.GenieTransceiver",  # made by designs, which refuse it
}  # fmt: skip


def test_whatever_takes_a_channel_counts_its_interference_or_refuses_it():
    taking = {}
    for name, subject in public_surface.subjects()[0].items():
        for parameter, value in subject.valid.items():
            if isinstance(value, ll.Channel):
                taking[name] = subject, parameter, value
    assert set(taking) > HONOURING
    for name in taking.keys() - HONOURING:
        subject, parameter, value = taking[name]
        coloured = replace(value, interference=torch.eye(2 * value.uses * value.n_rx))
        with pytest.raises(ValueError, match=r"channel\.interference must be None|cannot be matched to another channel"):
            subject.outcome(parameter, coloured)
