"""Channel state information: who knows the channel, estimates of it, how they age and how they are fed back."""

from latentlink.channels.csi.ageing import age_channel, age_estimate
from latentlink.channels.csi.estimation import ChannelEstimator, least_squares_estimator, lmmse_estimator
from latentlink.channels.csi.feedback import feedback_bits, quantisation_variance, quantise_feedback
from latentlink.channels.csi.statistics import GridStatistics, SampledStatistics, ScatteringStatistics, doppler_hz
from latentlink.linear.csi_cases import (
    BothEnds,
    CsiCase,
    Perfect,
    ReceiverOnly,
    Transmitter,
    TransmitterOnly,
    Unaware,
)
from latentlink.linear.csi_names import named

__all__ = [
    "BothEnds",
    "ChannelEstimator",
    "CsiCase",
    "GridStatistics",
    "Perfect",
    "ReceiverOnly",
    "SampledStatistics",
    "ScatteringStatistics",
    "Transmitter",
    "TransmitterOnly",
    "Unaware",
    "age_channel",
    "age_estimate",
    "doppler_hz",
    "feedback_bits",
    "least_squares_estimator",
    "lmmse_estimator",
    "named",
    "quantisation_variance",
    "quantise_feedback",
]


def __dir__() -> list[str]:
    return __all__
