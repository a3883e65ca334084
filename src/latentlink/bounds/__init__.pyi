from .accuracy import AccuracyBound, accuracy
from .capacity import capacity
from .finite_length import finite_length_bits, separation
from .opta import opta
from .per_antenna import per_antenna

__all__ = ["AccuracyBound", "accuracy", "capacity", "finite_length_bits", "opta", "per_antenna", "separation"]
