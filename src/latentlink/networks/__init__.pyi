from .broadcast import Broadcast
from .cooperative import Cooperative
from .coordinates import network_modes
from .design import NetworkDesign
from .devices import NetworkReceiver, NetworkTransmitter
from .fair import Fair
from .federated import FederatedAdmm
from .game import SemanticGame
from .linear_precoding import BlockDiagonal, Slnr
from .links import Links
from .modes import NetworkModes
from .moments import NetworkMoments
from .multiple_access import MultipleAccess
from .power_game import power_game_contraction
from .reused import ReusedDesign
from .shared_surface import SharedPhases, SharedSurface
from .solution import NetworkSolution
from .time_division import TimeDivision

__all__ = [
    "BlockDiagonal",
    "Broadcast",
    "Cooperative",
    "Fair",
    "FederatedAdmm",
    "Links",
    "MultipleAccess",
    "NetworkDesign",
    "NetworkModes",
    "NetworkMoments",
    "NetworkReceiver",
    "NetworkSolution",
    "NetworkTransmitter",
    "ReusedDesign",
    "SemanticGame",
    "SharedPhases",
    "SharedSurface",
    "Slnr",
    "TimeDivision",
    "network_modes",
    "power_game_contraction",
]
