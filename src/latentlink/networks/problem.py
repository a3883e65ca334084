"""The equations of a network: what every user's error is for given precoders, and how it changes with them.

In real coordinates, over all uses of a message (real parts of all uses and antennas, then imaginary parts), with the coordinates z of all
sources stacked and the precoders of all transmitters in one matrix F, whose blocks of other transmitters' sources are zero,

    r_k = H_k F z + v_k,      M_k = H_k F,      S_k = M_k C M_kᵀ + I,      G_k = B_k M_kᵀ S_k^{-1}                               (LMMSE)
    J_k = tr B_k C^{-1} B_kᵀ − tr B_k M_kᵀ S_k^{-1} M_k B_kᵀ.

H_k is whitened by the noise, so that v_k is white of variance 1, and J_k is the weighted error above what no channel could avoid. For
given G the sum over users is a quadratic function of F, Σ_k E||W_k y_k − G_k r_k||², with

    A = Σ_k H_kᵀG_kᵀG_kH_k,      D = Σ_k H_kᵀG_kᵀB_k,      gradient of Σ_k J_k:  2 (A F C − D)      (envelope theorem).

A channel's error of variance τ counts as white noise τ P of a transmitter at full power.
"""

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentlink.networks.links import Links
from latentlink.networks.modes import NetworkModes
from latentlink.numerics.parts import Parts
from latentlink.streams.whitened import whitened


@dataclass(frozen=True, eq=False)
class Problem(Parts):
    """A batch of networks in whitened real coordinates: K users, c coordinates, a antenna dimensions of all transmitters (see the module).

    Attributes:
        H: (…, K, r, a) whitened channels to each user from all transmitters; users of fewer antennas have rows of zeros in each half.
        B: (K, q, c) what each user wants; users of fewer rows have rows of zeros.
        C: (c, c) covariance of the coordinates, the identity within each transmitter.
        most: (K,) tr B_k C^{-1} B_kᵀ.
        power: (…, T) budget of each transmitter for a message, u P.
        rows: the antenna dimensions of each transmitter.
        columns: the coordinates of each transmitter's sources.
        turn: (c, c) z̃ = turn z: coordinates that are white within each transmitter, where its sources depend on each other; else I.
        uses: u, the number of channel uses; the rows of a transmitter are (2, u, n_tx).
    """

    H: Float[Tensor, "*batch K r a"]
    B: Float[Tensor, "K q c"]
    C: Float[Tensor, "c c"]
    most: Float[Tensor, "K"]
    power: Float[Tensor, "*batch T"]
    rows: tuple[slice, ...]
    columns: tuple[slice, ...]
    turn: Float[Tensor, "c c"]
    uses: int

    @classmethod
    def of(cls, modes: NetworkModes, links: Links) -> "Problem":
        """The problem of modes and links, in double precision.

        Raises:
            ValueError: the numbers of sources or users are not those of the links' transmitters and receivers.
        """
        modes, links = modes.to(torch.float64), links.to(torch.float64)
        transmitter_of, receiver_of = places(modes, links)
        seen = [whitened(links.table[k]) for k in range(links.receivers)]
        r = max(row.shape[-2] for row in seen)
        H = torch.stack([_padded(seen[k].unflatten(-2, (2, -1)), r // 2).flatten(-3, -2) for k in receiver_of], -3)
        q = max(len(each) for each in modes.wanted)
        B = torch.stack([_padded(each, q) for each in modes.wanted])
        ends = [0, *accumulate(2 * links.uses * each.n_tx for each in links.table[0])]
        rows = tuple(slice(a, b) for a, b in pairwise(ends))
        columns = tuple(_columns_of(modes, transmitter_of, t) for t in range(links.transmitters))
        power = torch.stack([links.uses * each.power for each in links.table[0]], -1)
        most = (modes.weighted_variance - modes.rest).clamp(min=0)
        turn = _white_within(modes.correlation, columns)
        C = turn @ modes.correlation @ turn.mT
        C = C + torch.diag((C.diagonal() < 0.5).to(C))  # directions that do not vary carry nothing: B is zero there
        return cls(H, B @ turn.mT, C, most, power, rows, columns, turn, links.uses)

    @property
    def batch(self) -> torch.Size:
        """The leading dimensions `...`."""
        return self.H.shape[:-3]

    @property
    def allowed(self) -> Bool[Tensor, "a c"]:
        """Which entries of F there are: those of a transmitter's antennas and its own sources."""
        mask = torch.zeros(self.H.shape[-1], self.C.shape[-1], dtype=torch.bool, device=self.H.device)
        for rows, columns in zip(self.rows, self.columns, strict=True):
            mask[rows, columns] = True
        return mask

    def received(self, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch K r c"]:
        """M_k = H_k F (…, K, r, c)."""
        return self.H @ F.unsqueeze(-3)

    def lmmse(self, F: Float[Tensor, "*batch a c"]) -> tuple[Float[Tensor, "*batch K q r"], Float[Tensor, "*batch K"]]:
        """The decoders G_k (…, K, q, r) and the errors J_k (…, K) of precoders F."""
        M = self.received(self._narrow(F))
        S = M @ M.mT if self._white else M @ self.C @ M.mT
        S = S + torch.eye(S.shape[-1], dtype=S.dtype, device=S.device)
        sent = F @ self.B.flatten(-3, -2).mT  # (…, a, K q): of what each user wants
        wanted = self.H @ sent.unflatten(-1, self.B.shape[-3:-1]).movedim(-2, -3)  # (…, K, r, q)
        G = torch.cholesky_solve(wanted, torch.linalg.cholesky(S)).mT
        return G, self.most - (G * wanted.mT).sum((-2, -1))

    @property
    def _white(self) -> bool:
        """True if C = I and F has no blocks of zeros, as with one transmitter."""
        return len(self.rows) == 1

    def _narrow(self, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch a n"]:
        """W with W Wᵀ = F Fᵀ and no more columns than rows, where that is all that counts."""
        return torch.linalg.qr(F.mT, "r").R.mT if self._white and F.shape[-1] > F.shape[-2] else F

    def errors(self, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch K"]:
        """The errors J_k (…, K) of precoders F."""
        return self.lmmse(F)[1]

    def normal(self, G: Float[Tensor, "*batch K q r"]) -> tuple[Float[Tensor, "*batch a a"], Float[Tensor, "*batch a c"]]:
        """A (…, a, a) and D (…, a, c) of given decoders."""
        through = (G @ self.H).flatten(-3, -2)  # (…, K q, a): G_k H_k of all users
        return through.mT @ through, through.mT @ self.B.flatten(-3, -2)

    def objective(self, F: Float[Tensor, "*batch a c"]) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch a c"]]:
        """Σ_k J_k (…) and its gradient (…, a, c) within the entries that there are."""
        G, J = self.lmmse(F)
        A, D = self.normal(G)
        if self._white:
            return J.sum(-1), 2 * (A @ F - D)
        return J.sum(-1), 2 * (A @ F @ self.C - D) * self.allowed

    def spent(self, F: Float[Tensor, "*batch a c"]) -> Float[Tensor, "*batch T"]:
        """||F_t||² (…, T), the power of each transmitter for a message."""
        return torch.stack(
            [F[..., rows, columns].square().sum((-2, -1)) for rows, columns in zip(self.rows, self.columns, strict=True)], -1
        )

    def weighed(self, weights: Float[Tensor, "*batch K"]) -> "Problem":
        """The problem with further weights (…, K) of the users' errors; B and `most` then have the batch's dimensions."""
        return replace(self, B=self.B * weights.sqrt()[..., None, None], most=self.most * weights)

    def of_batch(self, some: Bool[Tensor, "*batch"]) -> "Problem":
        """Some of the batch, with one batch dimension."""
        B, most = (self.B[some], self.most[some]) if self.B.ndim > 3 else (self.B, self.most)
        return replace(self, H=self.H[some], B=B, most=most, power=self.power.expand(*self.batch, -1)[some])


def places(modes: NetworkModes, links: Links) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The transmitter of each source and the receiver of each user.

    Raises:
        ValueError: they are not given, and there are several transmitters or receivers, but not one each.
    """
    found = []
    for name, given, several, one_each in (
        ("transmitter_of", links.transmitter_of, links.transmitters, modes.sources),
        ("receiver_of", links.receiver_of, links.receivers, modes.users),
    ):
        numbers = given if given is not None else ((0,) * one_each if several == 1 else tuple(range(several)))
        if len(numbers) != one_each:
            who, where = ("sources", "transmitters") if name == "transmitter_of" else ("users", "receivers")
            raise ValueError(
                f"links must have one of {where} or as many as the modes have {who}, got {several} for {one_each}: "
                f"give Links(…, {name}=[…]) with the number for each of the {who}"
            )
        found.append(numbers)
    return found[0], found[1]


def _white_within(C: Float[Tensor, "c c"], columns: tuple[slice, ...]) -> Float[Tensor, "c c"]:
    """Block-diagonal `turn` (c, c) with turn C turnᵀ the identity within each transmitter, zero for directions that do not vary."""
    turn = torch.eye(len(C), dtype=C.dtype, device=C.device)
    for at in columns:
        own = C[at, at]
        if not torch.equal(own, turn[at, at]):
            values, vectors = torch.linalg.eigh(own)
            kept = values > 1e-9 * values.max()
            turn[at, at] = torch.where(kept, values.clamp(min=1e-300).rsqrt(), 0.0).unsqueeze(-1) * vectors.mT
    return turn


def _padded(matrix: Tensor, rows: int) -> Tensor:
    return torch.nn.functional.pad(matrix, (0, 0, 0, rows - matrix.shape[-2]))


def _columns_of(modes: NetworkModes, transmitter_of: tuple[int, ...], t: int) -> slice:
    """The coordinates of the sources of transmitter t, which must follow one another."""
    of = [i for i, place in enumerate(transmitter_of) if place == t]
    if not of:
        return slice(0, 0)
    if of != list(range(of[0], of[-1] + 1)):
        raise ValueError(f"transmitter_of must give the sources of one transmitter one after the other, got {list(transmitter_of)}")
    columns = modes.columns
    return slice(columns[of[0]].start, columns[of[-1]].stop)
