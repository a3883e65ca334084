"""Semantic MIMO links: two devices, two latent spaces, one channel, one task."""

from latentlink.baselines.alignment import Alignment, LeastSquares, Procrustes
from latentlink.baselines.digital.digital import Digital
from latentlink.baselines.digital.link import DigitalTransceiver
from latentlink.baselines.disjoint import Disjoint
from latentlink.baselines.eigen_k import EigenK
from latentlink.baselines.equalizers import MmseEqualizer, SvdEqualizer, ZeroForcing
from latentlink.baselines.first_k import FirstK
from latentlink.baselines.selection import TopKTransceiver
from latentlink.baselines.top_k import TopK
from latentlink.channels.ageing import aged, outdated
from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelDraws, ChannelSource
from latentlink.channels.estimation import ChannelEstimator, least_squares_estimator, lmmse_estimator
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.channels.feedback import fed_back, feedback_bits, quantisation_variance
from latentlink.channels.link_budget import equalised_snr_db, link_budget_snr_db
from latentlink.channels.panels import Panel
from latentlink.channels.resource_elements import ResourceElements
from latentlink.channels.snr import SnrDefinition, convert_snr
from latentlink.channels.standard import Tr38901
from latentlink.channels.standard_draws import StandardDraws
from latentlink.channels.statistics import GridStatistics, SampledStatistics, ScatteringStatistics, doppler_hz
from latentlink.channels.tr38901 import tr38901
from latentlink.io.artifacts import ArtifactError, load
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.selection import PilotSelection
from latentlink.limits import accuracy_bound, capacity, finite_length_bits, opta, separation, unaligned
from latentlink.linear.admm import Admm
from latentlink.linear.antennas import per_antenna_bound
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.csi_cases import (
    CsiAtBothEnds,
    CsiAtReceiverOnly,
    CsiAtTransmitter,
    CsiAtTransmitterOnly,
    CsiCase,
    Measurement,
    NoCsi,
    PerfectCsi,
    taken_for_true,
)
from latentlink.linear.goal import Goal
from latentlink.linear.goal_choice import GoalChoice, choose_goal
from latentlink.linear.held_out import HeldOut, HeldOutModes, held_out
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.linear.power import EqualPower, MeanPower, OneUseAtATime, PerMessagePower, PerUsePower
from latentlink.linear.projections import ActiveAntennas, AntennaPower, ConstantModulus, ConstraintSet, SparsePrecoder, TotalPower, UsePower
from latentlink.linear.robust import EstimateAtBothEnds, EstimateAtTransmitter
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.neural.codec.codec import Codec
from latentlink.neural.codec.examples import Augmentation
from latentlink.neural.codec.fitting import CodecFit, CodecTraining
from latentlink.neural.codec.link import CodecTransceiver
from latentlink.neural.codec.power import AveragePower, EachMessage
from latentlink.neural.codec.shrinking import Microseconds, Operations
from latentlink.neural.neural import Neural
from latentlink.neural.pruning import Budget, HardThreshold, SoftThreshold
from latentlink.neural.transceiver import NeuralTransceiver
from latentlink.tasks.complexity import Flops, Latency, latency
from latentlink.tasks.evaluation import Evaluation, evaluate
from latentlink.tasks.heads import SoftmaxHead, fit_head
from latentlink.tasks.metrics import Accuracy, Rate, accuracy, agreement, mse, nmse
from latentlink.tasks.objectives import Cosine, HeadDivergence, Objective, Regression, Retrieval
from latentlink.tasks.peaks import Amplifier, Peaks, peaks
from latentlink.transceiver import Solution, Status, Transceiver, transmit

__all__ = [
    "Accuracy",
    "ActiveAntennas",
    "Admm",
    "Alignment",
    "Amplifier",
    "AntennaPower",
    "ArtifactError",
    "Augmentation",
    "AveragePower",
    "Budget",
    "Channel",
    "ChannelDraws",
    "ChannelEstimator",
    "ChannelSource",
    "ClosedForm",
    "Codec",
    "CodecFit",
    "CodecTraining",
    "CodecTransceiver",
    "ConstantModulus",
    "ConstraintSet",
    "Cosine",
    "CsiAtBothEnds",
    "CsiAtReceiverOnly",
    "CsiAtTransmitter",
    "CsiAtTransmitterOnly",
    "CsiCase",
    "Digital",
    "DigitalTransceiver",
    "Disjoint",
    "EachMessage",
    "EigenK",
    "EqualPower",
    "EstimateAtBothEnds",
    "EstimateAtTransmitter",
    "Evaluation",
    "FirstK",
    "Flops",
    "Goal",
    "GoalChoice",
    "GridStatistics",
    "HardThreshold",
    "HeadDivergence",
    "HeldOut",
    "HeldOutModes",
    "Latency",
    "LeastSquares",
    "LinearTransceiver",
    "MeanPower",
    "Measurement",
    "Microseconds",
    "MmseEqualizer",
    "Moments",
    "Neural",
    "NeuralTransceiver",
    "NoCsi",
    "Objective",
    "OneUseAtATime",
    "Operations",
    "Panel",
    "Peaks",
    "PerMessagePower",
    "PerUsePower",
    "PerfectCsi",
    "PilotSelection",
    "Pilots",
    "Procrustes",
    "Rate",
    "Regression",
    "ResourceElements",
    "Retrieval",
    "SampledStatistics",
    "ScatteringStatistics",
    "SemanticModes",
    "SnrDefinition",
    "SoftThreshold",
    "SoftmaxHead",
    "Solution",
    "SparsePrecoder",
    "StandardDraws",
    "Status",
    "SvdEqualizer",
    "TopK",
    "TopKTransceiver",
    "TotalPower",
    "Tr38901",
    "Transceiver",
    "UsePower",
    "ZeroForcing",
    "accuracy",
    "accuracy_bound",
    "aged",
    "agreement",
    "capacity",
    "choose_goal",
    "convert_snr",
    "doppler_hz",
    "equalised_snr_db",
    "evaluate",
    "exponential_correlation",
    "fed_back",
    "feedback_bits",
    "finite_length_bits",
    "fit_head",
    "held_out",
    "kronecker",
    "latency",
    "least_squares_estimator",
    "link_budget_snr_db",
    "lmmse_estimator",
    "load",
    "mse",
    "nmse",
    "opta",
    "outdated",
    "peaks",
    "per_antenna_bound",
    "quantisation_variance",
    "rayleigh",
    "rician",
    "semantic_modes",
    "separation",
    "taken_for_true",
    "tr38901",
    "transmit",
    "unaligned",
]
