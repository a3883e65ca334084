from .broadcast import Broadcast
from .common_codec import CommonCodec
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
from .user_codec_link import UserCodecLink
from .user_codecs import UserCodecs
from .user_codecs_solution import UserCodecsSolution

__all__ = [
    "BlockDiagonal",
    "Broadcast",
    "CommonCodec",
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
    "UserCodecLink",
    "UserCodecs",
    "UserCodecsSolution",
    "network_modes",
    "power_game_contraction",
]
