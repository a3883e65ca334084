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
from latentlink.channels.channel import Channel
from latentlink.channels.draws import ChannelDraws, ChannelSource
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.channels.snr import SnrDefinition, convert_snr
from latentlink.io.artifacts import ArtifactError, load
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.latents.selection import PilotSelection
from latentlink.limits import accuracy_bound, capacity, opta, unaligned
from latentlink.linear.admm import Admm
from latentlink.linear.antennas import per_antenna_bound
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.goal_choice import GoalChoice, choose_goal
from latentlink.linear.held_out import HeldOut, HeldOutModes, held_out
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.linear.power import MeanPower, PerMessagePower, PerUsePower
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
from latentlink.transceiver import Solution, Status, Transceiver, transmit

__all__ = [
    "Accuracy",
    "ActiveAntennas",
    "Admm",
    "Alignment",
    "AntennaPower",
    "ArtifactError",
    "Augmentation",
    "AveragePower",
    "Budget",
    "Channel",
    "ChannelDraws",
    "ChannelSource",
    "ClosedForm",
    "Codec",
    "CodecFit",
    "CodecTraining",
    "CodecTransceiver",
    "ConstantModulus",
    "ConstraintSet",
    "Cosine",
    "Digital",
    "DigitalTransceiver",
    "Disjoint",
    "EachMessage",
    "EigenK",
    "EstimateAtBothEnds",
    "EstimateAtTransmitter",
    "Evaluation",
    "FirstK",
    "Flops",
    "Goal",
    "GoalChoice",
    "HardThreshold",
    "HeadDivergence",
    "HeldOut",
    "HeldOutModes",
    "Latency",
    "LeastSquares",
    "LinearTransceiver",
    "MeanPower",
    "Microseconds",
    "MmseEqualizer",
    "Moments",
    "Neural",
    "NeuralTransceiver",
    "Objective",
    "Operations",
    "PerMessagePower",
    "PerUsePower",
    "PilotSelection",
    "Pilots",
    "Procrustes",
    "Rate",
    "Regression",
    "Retrieval",
    "SemanticModes",
    "SnrDefinition",
    "SoftThreshold",
    "SoftmaxHead",
    "Solution",
    "SparsePrecoder",
    "Status",
    "SvdEqualizer",
    "TopK",
    "TopKTransceiver",
    "TotalPower",
    "Transceiver",
    "UsePower",
    "ZeroForcing",
    "accuracy",
    "accuracy_bound",
    "agreement",
    "capacity",
    "choose_goal",
    "convert_snr",
    "evaluate",
    "exponential_correlation",
    "fit_head",
    "held_out",
    "kronecker",
    "latency",
    "load",
    "mse",
    "nmse",
    "opta",
    "per_antenna_bound",
    "rayleigh",
    "rician",
    "semantic_modes",
    "transmit",
    "unaligned",
]
