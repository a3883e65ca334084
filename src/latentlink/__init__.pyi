from . import (
    alignment,
    baselines,
    bounds,
    budget,
    channels,
    csi,
    data,
    deploy,
    digital,
    living,
    metrics,
    networks,
    nn,
    nonlinear,
    objectives,
    power,
    studies,
    surfaces,
    tr38901,
)
from .channels.channel import Channel
from .channels.fading import rayleigh
from .data.readers.channels import read_channels
from .data.readers.latents import read_latents
from .data.readers.pairing import read_pairs
from .evaluation.evaluate import evaluate
from .latents.look import look
from .latents.moments import Moments
from .latents.pilot_selection import PilotSelection
from .latents.pilots import Pilots
from .linear.admm.constraints import ActiveAntennas, ConstantModulus, ConstraintSet, SparsePrecoder
from .linear.admm.design import Admm
from .linear.design import ClosedForm
from .linear.goal import Goal
from .linear.goal_choice import choose_goal
from .linear.held_out import held_out
from .linear.modes import SemanticModes, semantic_modes
from .linear.transceiver import LinearTransceiver
from .links.solution import Solution
from .links.status import Status
from .links.transceiver import BaseTransceiver, Transceiver
from .links.transmit import transmit
from .neural.codec.design import Codec
from .neural.codec.examples import Augmentation
from .neural.codec.training import CodecTraining
from .neural.paper.design import Neural
from .neural.paper.pruning import HardThreshold, SoftThreshold
from .storage.artifacts import ArtifactError, load
from .tasks.heads import SoftmaxHead, fit_head

__version__: str

__all__ = [
    "ActiveAntennas",
    "Admm",
    "ArtifactError",
    "Augmentation",
    "BaseTransceiver",
    "Channel",
    "ClosedForm",
    "Codec",
    "CodecTraining",
    "ConstantModulus",
    "ConstraintSet",
    "Goal",
    "HardThreshold",
    "LinearTransceiver",
    "Moments",
    "Neural",
    "PilotSelection",
    "Pilots",
    "SemanticModes",
    "SoftThreshold",
    "SoftmaxHead",
    "Solution",
    "SparsePrecoder",
    "Status",
    "Transceiver",
    "__version__",
    "alignment",
    "baselines",
    "bounds",
    "budget",
    "channels",
    "choose_goal",
    "csi",
    "data",
    "deploy",
    "digital",
    "evaluate",
    "fit_head",
    "held_out",
    "living",
    "load",
    "look",
    "metrics",
    "networks",
    "nn",
    "nonlinear",
    "objectives",
    "power",
    "rayleigh",
    "read_channels",
    "read_latents",
    "read_pairs",
    "semantic_modes",
    "studies",
    "surfaces",
    "tr38901",
    "transmit",
]
