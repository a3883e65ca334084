"""Complexity budgets: how many weights, operations or microseconds a network may take."""

from latentlink.neural.codec.pruning import Flops, Latency
from latentlink.neural.paper.pruning import Weights

__all__ = ["Flops", "Latency", "Weights"]
