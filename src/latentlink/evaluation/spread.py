"""Mean and variance of rows that come in parts, none of which is kept."""

import torch
from jaxtyping import Float
from torch import Tensor


class Spread:
    """Means and variances (1/n normalised, float64) of rows (n, q), merged part by part by Chan's formula [chan1983algorithms].

    Attributes:
        count: n, number of rows so far.
        mean: (q,).
        each: variance of each of the q numbers (q,).
        total: their sum ().
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.each = self.total = torch.zeros((), device="cpu")

    def add(self, rows: Float[Tensor, "n q"]) -> None:
        """Count further rows."""
        rows, n = rows.double(), len(rows)
        mean = rows.mean(0)
        squares = (rows - mean).square()
        each, total = squares.mean(0), squares.sum(-1).mean()
        if self.count:
            share = n / (self.count + n)
            step = mean - self.mean
            between = share * (1 - share) * step.square()
            mean = self.mean + share * step
            each, total = self.each.lerp(each, share) + between, self.total.lerp(total, share) + between.sum()
        self.count, self.mean, self.each, self.total = self.count + n, mean, each, total
