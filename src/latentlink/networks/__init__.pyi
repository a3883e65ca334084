from .broadcast import Broadcast
from .coordinates import network_modes
from .design import NetworkDesign
from .federated import FederatedAdmm
from .linear_precoding import BlockDiagonal, Slnr
from .links import Links
from .modes import NetworkModes
from .moments import NetworkMoments
from .reused import ReusedDesign
from .solution import NetworkReceiver, NetworkSolution, NetworkTransmitter
from .time_division import TimeDivision

__all__ = [
    "BlockDiagonal",
    "Broadcast",
    "FederatedAdmm",
    "Links",
    "NetworkDesign",
    "NetworkModes",
    "NetworkMoments",
    "NetworkReceiver",
    "NetworkSolution",
    "NetworkTransmitter",
    "ReusedDesign",
    "Slnr",
    "TimeDivision",
    "network_modes",
]
