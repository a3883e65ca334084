from .coordinates import network_modes
from .design import NetworkDesign
from .links import Links
from .modes import NetworkModes
from .moments import NetworkMoments
from .solution import NetworkReceiver, NetworkSolution, NetworkTransmitter

__all__ = [
    "Links",
    "NetworkDesign",
    "NetworkModes",
    "NetworkMoments",
    "NetworkReceiver",
    "NetworkSolution",
    "NetworkTransmitter",
    "network_modes",
]
