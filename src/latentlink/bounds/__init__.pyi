from .accuracy import AccuracyBound, accuracy
from .capacity import capacity
from .finite_length import finite_length_bits, separation
from .handshake import Handshake
from .opta import opta
from .per_antenna import per_antenna
from .pilot_price import PilotPrice, pilot_price

__all__ = [
    "AccuracyBound",
    "Handshake",
    "PilotPrice",
    "accuracy",
    "capacity",
    "finite_length_bits",
    "opta",
    "per_antenna",
    "pilot_price",
    "separation",
]
