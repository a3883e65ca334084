"""The linear solution as the paper's published code computes it, with one of its faults at a time: methods of `faults.yaml`.

    G ← Y Aᴴ (A Aᴴ + n σ² I)⁻¹                                             with A = H F X
    F ← the solution of  Mᴴ M F (X Xᴴ) + ρ n F = Mᴴ Y Xᴴ + ρ n (Z − U)     with M = G H
    Z ← the nearest to F + U with ||Z||² ≤ P
    U ← U + F − Z

X are the packed pilots, whitened and centred, and Y those of the receiver. There are twenty rounds from a random F with ρ = 100, as in
the code. Without a fault, Y is centred, and Z is delivered with its decoder. The program is our own; the faults are those of SPAICOM's
repository semantic-alignment-mimo, `src/linear_models.py` and `src/datamodules.py`, as read in November 2026.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

import latentlink as ll

FAULTS = ("none", "regulariser", "mean", "iterate", "selection", "whitening", "zero-db", "all")
ROUNDS, RHO = 20, 100.0
ITERATED = ll.Status("as published", "twenty rounds of ADMM from a random start")


def packed(latents: Tensor) -> Tensor:
    """Latents (n, d) as complex columns (⌈d/2⌉, n): the first half are real parts, the second imaginary parts."""
    padded = torch.nn.functional.pad(latents.double(), (0, latents.shape[-1] % 2))
    return torch.complex(*padded.chunk(2, -1)).mT


@dataclass(frozen=True, eq=False)
class Link:
    """The pair for each channel: ŷ = unpack(G r) + μy of s = F S (pack(x) − μx)."""

    F: Tensor
    G: Tensor
    S: Tensor
    mean_x: Tensor
    mean_y: Tensor
    dimension: int

    def encode(self, x: Tensor) -> Tensor:
        return (self.F @ (self.S @ (packed(x) - self.mean_x))).mT.unsqueeze(-2)

    def decode(self, r: Tensor) -> Tensor:
        y = (self.G @ r.squeeze(-2).to(self.G).mT + self.mean_y).mT
        return torch.cat([y.real, y.imag], -1)[..., : self.dimension]

    def to(self, target: torch.device | torch.dtype | str) -> "Link":
        if isinstance(target, torch.dtype):
            return self
        return replace(self, **{name: getattr(self, name).to(target) for name in ("F", "G", "S", "mean_x", "mean_y")})


class PublishedAdmm:
    """The published ADMM with one fault, all of them, or none.

    Args:
        fault: "regulariser" (n σ (1 + j) I in place of n σ² I), "mean" (the receiver's mean is left out), "iterate" (F is delivered, though
            only Z keeps the budget), "selection" (row numbers within a class are taken for row numbers of the set), "whitening" (the
            Cholesky factor is used whether it exists or not), "zero-db" (0 dB is taken for a channel without noise), "all", or "none".
        per_class: number of pilots of each class, chosen from all that the study gives.
        seed: seed of the start and of the choice.
    """

    gain_controlled = False  # the power is as the code leaves it

    def __init__(self, fault: str = "none", per_class: int = 420, seed: int = 0) -> None:
        if fault not in FAULTS:
            raise ValueError(f"fault must be one of {', '.join(FAULTS)}, got {fault!r}")
        self.fault, self.per_class, self.seed = fault, per_class, seed

    def has(self, fault: str) -> bool:
        return self.fault in (fault, "all")

    def design(self, known: "ll.studies.PilotKnowledge", channel: ll.Channel) -> ll.Solution:
        drawn = torch.Generator().manual_seed(self.seed)
        rows = self.rows(known.pilots.labels, drawn)
        X, Y = packed(known.pilots.x[rows]), packed(known.pilots.y[rows])
        mean_x, mean_y = X.mean(1, keepdim=True), Y.mean(1, keepdim=True)
        if self.has("mean"):
            mean_y = torch.zeros_like(mean_y)
        S = self.whitening(torch.cov(X))
        each = [channel[number] for number in range(len(channel.h))]
        F, G = (torch.stack(parts) for parts in zip(*(self.pair(S @ (X - mean_x), Y - mean_y, one, drawn) for one in each), strict=True))
        link = Link(F, G, S, mean_x, mean_y, known.pilots.y.shape[1])
        power = F.abs().square().sum((-2, -1))  # of latents whose whitened coordinates have unit variance
        return ll.Solution(link, torch.full(channel.batch, ITERATED.code), expected_mse=None, expected_power=power)

    def rows(self, labels: Tensor, drawn: torch.Generator) -> Tensor:
        """Row numbers of the pilots; within each class they are drawn without repetition."""
        chosen = []
        for label in labels.unique():
            members = (labels == label).nonzero().squeeze(1)
            places = torch.randperm(len(members), generator=drawn)[: self.per_class]
            chosen.append(places if self.has("selection") else members[places])
        return torch.cat(chosen)

    def whitening(self, covariance: Tensor) -> Tensor:
        """S with S R Sᴴ = I on the directions that are there; as published, the inverse of a factor that may not exist."""
        if self.has("whitening"):
            factor, _ = torch.linalg.cholesky_ex(covariance)
            return torch.linalg.solve(factor, torch.eye(len(factor), dtype=factor.dtype))
        values, vectors = torch.linalg.eigh(covariance)
        kept = values > 1e-10 * values[-1]
        return (vectors[:, kept] * values[kept].rsqrt()).mH

    def pair(self, X: Tensor, Y: Tensor, channel: ll.Channel, drawn: torch.Generator) -> tuple[Tensor, Tensor]:
        """F and G for one channel."""
        H, n = channel.h.reshape(channel.n_rx, channel.n_tx).to(X), X.shape[1]
        variance, power = float(channel.noise_variance), float(channel.power)
        if self.has("zero-db") and math.isclose(power / channel.n_tx, variance, rel_tol=1e-6):
            variance = 0.0
        noise = n * math.sqrt(variance) * (1 + 1j) if self.has("regulariser") else n * variance
        inner, cross, rho = torch.linalg.eigh(X @ X.mH), Y @ X.mH, RHO * n
        inverse, basis = inner.eigenvalues.clamp_min(1e-12 * n).reciprocal(), inner.eigenvectors

        def decoder(F: Tensor) -> Tensor:
            A = H @ F @ basis
            second = (A / inverse) @ A.mH + noise * torch.eye(len(H), dtype=H.dtype)
            return torch.linalg.solve(second, cross @ basis @ A.mH, left=False)

        F = torch.randn(channel.n_tx, len(X), dtype=H.dtype, generator=drawn) * math.sqrt(2)
        Z = U = torch.zeros_like(F)
        for _ in range(ROUNDS):
            M = decoder(F) @ H
            values, modes = torch.linalg.eigh(M.mH @ M)
            right = modes.mH @ ((rho * (Z - U) + M.mH @ cross) @ basis * inverse)
            F = modes @ (right / (values[:, None] + rho * inverse)) @ basis.mH
            size = float((F + U).abs().square().sum())
            Z = (F + U) * min(1.0, math.sqrt(power / size))
            U = U + F - Z
        sent = F if self.has("iterate") else Z
        return sent, decoder(sent)
