from .alignment import Alignment, LeastSquares, Procrustes, unaligned
from .decision_link import DecisionLink
from .decision_transceiver import DecisionTransceiver
from .equalisers import MmseEqualiser, SvdEqualiser, ZeroForcing
from .first_k_eigen_k import Disjoint, EigenK, FirstK
from .gated import Gated
from .gated_transceiver import GatedTransceiver
from .top_k import TopK
from .top_k_transceiver import TopKTransceiver

__all__ = [
    "Alignment",
    "DecisionLink",
    "DecisionTransceiver",
    "Disjoint",
    "EigenK",
    "FirstK",
    "Gated",
    "GatedTransceiver",
    "LeastSquares",
    "MmseEqualiser",
    "Procrustes",
    "SvdEqualiser",
    "TopK",
    "TopKTransceiver",
    "ZeroForcing",
    "unaligned",
]
