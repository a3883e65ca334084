from .cooperative import Cooperative
from .coordinates import network_modes
from .design import NetworkDesign
from .fair import Fair
from .game import SemanticGame
from .links import Links
from .modes import NetworkModes
from .moments import NetworkMoments
from .multiple_access import MultipleAccess
from .solution import NetworkReceiver, NetworkSolution, NetworkTransmitter

__all__ = [
    "Cooperative",
    "Fair",
    "Links",
    "MultipleAccess",
    "NetworkDesign",
    "NetworkModes",
    "NetworkMoments",
    "NetworkReceiver",
    "NetworkSolution",
    "NetworkTransmitter",
    "SemanticGame",
    "network_modes",
]
