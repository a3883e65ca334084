"""Semantic MIMO links: two devices, two latent spaces, one channel, one task."""

from latentlink.channels.channel import Channel
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.channels.snr import SnrDefinition, convert_snr
from latentlink.io.artifacts import ArtifactError, load
from latentlink.latents.moments import Moments
from latentlink.linear.closed_form import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.linear.power import MeanPower, PerMessagePower, PerUsePower
from latentlink.linear.robust import EstimateAtBothEnds, EstimateAtTransmitter
from latentlink.tasks.heads import SoftmaxHead, fit_head
from latentlink.transceiver import LinearTransceiver, Solution, Status, Transceiver, transmit
