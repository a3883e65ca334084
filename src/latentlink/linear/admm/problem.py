"""The linear design problem in the coordinates of the precoder: those of the semantic modes, or those of the latents themselves.

The error that a precoder F leaves with its LMMSE decoder depends on the design covariance R of its inputs and on Ω, their weighted
cross-products with the target:

    J(F) = V − tr(Ω Fᴴ B),        B = Hᴴ C⁻¹ H F,        C = H F R Fᴴ Hᴴ + N I,        V = tr(W Ry Wᵀ),        Ω = Rxy WᵀW Ryx.

The decoder G enters through B alone: with M = W G H the F-update of ADMM is the Sylvester equation

    Mᴴ M F R + ρ F = Mᴴ W Ryx + ρ (Z − U),        Mᴴ M = B Ω Bᴴ,        Mᴴ W Ryx = B Ω,

which two eigendecompositions solve: with R = E Δ Eᴴ, once, and Mᴴ M = Q Λ Qᴴ,

    F = Q [ (Qᴴ (B Ω + ρ (Z − U)) E) / (Λ Δ + ρ) ] Eᴴ.

In mode coordinates R = I and Ω = diag(b²), so the cost does not depend on the latents; a precoder of any row constraint needs no more than
the rank(H_r) strongest modes, since J then depends on Ω through the right factor of F alone. In the latents' coordinates R = R_λ and
Ω = (R Φᴴ) diag(b²) (Φ R). Ω = L Lᴴ is stored in the eigenbasis E. Widely linear designs are real, H is H_r over all uses and N = σ²/2;
complex-linear ones are complex, on packed inputs of R = E[x xᴴ], with H itself and N = σ².
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.latents.moments import Moments
from latentlink.latents.packing import packed_covariance, real_embedding
from latentlink.latents.whitening import regularise
from latentlink.linear.modes import SemanticModes
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.numerics.division import ratio
from latentlink.power import PowerLimit
from latentlink.streams.projections import Precoders, row_power


@dataclass(frozen=True, eq=False)
class Problem:
    """One batch of design problems (see the module); the field is real, or complex for complex-linear modes.

    Attributes:
        channel: the channels, in the modes' precision.
        basis_modes: what F acts on, as modes: their analysis gives F's inputs.
        analysis: F's inputs in the coordinates of the closed form, F = F̃ analysis; None where they are the same.
        H: the channel matrices (…, r, g) over all uses.
        N: noise variance (…) of each dimension of the field.
        V: weighted error of sending nothing.
        L: a root (c, k) of Ω = L Lᴴ in the basis E.
        spread: the eigenvalues Δ (c,) of R.
        basis: the eigenvectors E (c, c) of R; None is I.
        covariance: R (c, c); None is I.
    """

    channel: Channel
    basis_modes: SemanticModes
    analysis: Tensor | None
    H: Tensor
    N: Float[Tensor, "*batch"]
    V: Float[Tensor, ""]
    L: Tensor
    spread: Float[Tensor, "c"]
    basis: Tensor | None = None
    covariance: Tensor | None = None

    @classmethod
    def of(cls, modes: SemanticModes, channel: Channel, moments: Moments | None = None) -> "Problem":
        """State the problem in mode coordinates or, given the moments behind the modes, in those of the latents."""
        H = torch.diag_embed(channel.h.movedim(-3, -1), dim1=-4, dim2=-2).flatten(-2).flatten(-3, -2)
        N = channel.effective_noise  # of the error exact for one use
        H, N = (real_embedding(H), N / 2) if modes.widely_linear else (H, N)
        used = modes.truncated(min(len(modes), channel.real_symbols)) if moments is None else modes
        b = used.strength if used.widely_linear else 2**0.5 * used.strength[::2]
        if moments is None:
            return cls(channel, used, None, H, N, modes.weighted_variance, torch.diag(b).to(H.dtype), torch.ones_like(b))
        R = (moments.cov_x if modes.widely_linear else packed_covariance(moments.cov_x)).to(H)  # R_λ of the latents, or of their packing
        R = regularise(R, modes.shrinkage)
        Phi = _field_analysis(modes).to(H)
        spread, E = torch.linalg.eigh(R)
        spread = spread.clamp(min=0)
        L = spread.unsqueeze(-1) * (E.mH @ Phi.mH) * b
        return cls(channel, _latents_as_modes(modes, moments), Phi, H, N, modes.weighted_variance, L, spread, E, R)

    @property
    def inputs(self) -> int:
        """The number c of columns of F."""
        return len(self.spread)

    def lmmse(self, F: Tensor) -> Tensor:
        """Compute B E (…, g, c), which stands for the LMMSE decoder of F.

        C is loaded by its rounding error, as the decoder's matrix is, which keeps it definite without noise.
        """
        M = self.H @ self._to_eigenbasis(F)
        C = (M * self.spread) @ M.mH
        loading = self.N + torch.finfo(self.N.dtype).eps * (C.diagonal(dim1=-2, dim2=-1).real.sum(-1) + C.shape[-1] * self.N)
        loading = torch.where(loading > 0, loading, 1.0).unsqueeze(-1).expand(C.shape[:-1])
        return self.H.mH @ torch.linalg.solve(C + torch.diag_embed(loading).to(C.dtype), M)

    def proximal_precoder(self, B: Tensor, near: Tensor, rho: Float[Tensor, "*batch"]) -> Tensor:
        """Solve the F-update (…, g, c) for the decoder behind B E and the point Z − U (the Sylvester equation of the module)."""
        rho = rho[..., None, None]
        BL = B @ self.L
        Lambda, Q = torch.linalg.eigh(BL @ BL.mH)
        right = BL @ self.L.mH + rho * self._to_eigenbasis(near)
        F: Tensor = Q @ ((Q.mH @ right) / (Lambda.clamp(min=0).unsqueeze(-1) * self.spread + rho))
        if self.basis is not None:
            F = F @ self.basis.mH
        return F

    def error(self, F: Tensor) -> Float[Tensor, "*batch"]:
        """Compute J(F) (…)."""
        return self.V - ((self._to_eigenbasis(F) @ self.L) * (self.lmmse(F) @ self.L).conj()).sum((-2, -1)).real

    def scale_to_budget(self, entries: Precoders) -> Precoders:
        """Scale precoders so that they spend u·P."""
        spent = row_power(entries, self.covariance).sum((-2, -1))
        return entries * ratio(self.channel.uses * self.channel.power, spent).sqrt()[..., None, None, None]

    def entries(self, F: Tensor) -> Precoders:
        """Split F of the field into complex entries by use and antenna."""
        if not F.is_complex():
            F = torch.complex(*F.tensor_split(2, dim=-2))
        return F.unflatten(-2, (self.channel.uses, self.channel.n_tx))

    def matrix(self, entries: Precoders) -> Tensor:
        """Join complex entries to F of the field (…, 2 u t, c) or (…, u t, c); the inverse of `entries`."""
        F = entries.flatten(-3, -2)
        return F if self.H.is_complex() else torch.cat([F.real, F.imag], -2)

    def _to_eigenbasis(self, F: Tensor) -> Tensor:
        """Compute F E."""
        return F if self.basis is None else F @ self.basis

    def precoder_of(self, link: LinearTransceiver) -> Precoders:
        """Express the precoder of a closed form in these coordinates."""
        s = link.streams.shape[-1]
        F = link.symbols(torch.eye(s, dtype=self.N.dtype, device=self.N.device)).movedim(-3, -1)  # (…, u, t, s)
        F = 2**0.5 * F[..., ::2] if self.H.is_complex() else F
        return F if self.analysis is None else F @ self.analysis[: F.shape[-1]].to(F)

    def transceiver(self, entries: Precoders, limit: PowerLimit) -> LinearTransceiver:
        """Make the link of a precoder, with all uses in one group and the decoder matched to the channel."""
        F = entries.flatten(-3, -2)
        if self.H.is_complex() and self.covariance is None:  # streams √2 Re z, √2 Im z in turn
            F = torch.stack([F, 1j * F], -1).flatten(-2) / 2**0.5
        elif self.H.is_complex():  # real halves before imaginary ones
            F = torch.cat([F, 1j * F], -1)
        precoder = torch.cat([F.real, F.imag], -2).unsqueeze(-3)
        streams = torch.arange(precoder.shape[-1], device=precoder.device).expand(*precoder.shape[:-3], -1)
        R = real_embedding(self.covariance) / 2 if self.covariance is not None and self.H.is_complex() else self.covariance
        zz = None if R is None else R.expand(*precoder.shape[:-2], -1, -1)
        return self.basis_modes.transceiver(self.channel, streams, precoder, moments_zz=zz, power_limit=limit)


def _field_analysis(modes: SemanticModes) -> Tensor:
    """Take Φ (k, d), or complex (k/2, ⌈d/2⌉) on packed latents."""
    if modes.widely_linear:
        return modes.analysis
    width = -(-modes.analysis.shape[-1] // 2)  # real rows are √2 [Re, −Im] and √2 [Im, Re], without the padding
    return torch.complex(modes.analysis[::2, :width], modes.analysis[1::2, :width]) / 2**0.5


def _latents_as_modes(modes: SemanticModes, moments: Moments) -> SemanticModes:
    """Describe the latents' own coordinates as modes: Φ = I and Ψ = Ryx, so that Ψ Fᵀ … is their LMMSE decoder."""
    d, m = len(modes.mean_x), len(modes.mean_y)
    padded = d if modes.widely_linear else 2 * -(-d // 2)
    analysis = torch.eye(padded, d, dtype=moments.cov_x.dtype, device=moments.cov_x.device)
    packed = None if modes.widely_linear else real_embedding(packed_covariance(moments.cov_yx))
    synthesis = moments.cov_yx if packed is None else packed[:m] / 2
    cross = analysis @ (moments.cov_yx.mT @ synthesis)
    latents = replace(
        modes,
        analysis=analysis,
        synthesis=synthesis,
        strength=analysis.new_zeros(padded),
        gram=synthesis.mT @ synthesis,
        cross=cross,
        covariance=analysis @ moments.cov_x @ analysis.mT,
    )
    return latents.to(modes.strength.dtype).to(modes.strength.device)
