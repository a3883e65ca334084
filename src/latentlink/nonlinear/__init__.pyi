from .designs import LiftedLink, MixtureLink
from .lifted import Lifted
from .lifted_transceiver import LiftedTransceiver
from .mixture import MixtureDecoder
from .mixture_transceiver import MixtureTransceiver

__all__ = ["Lifted", "LiftedLink", "LiftedTransceiver", "MixtureDecoder", "MixtureLink", "MixtureTransceiver"]
