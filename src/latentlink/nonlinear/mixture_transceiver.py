"""The transceiver of a linear precoder and a decoder that averages over classes.

With M = H F̃ and the covariance N of what disturbs r, both real, each class has the whitening K_c with K_cᵀ K_c = (M C_c Mᵀ + N)⁻¹, and

    d_c = K_c (r − M μz_c),        log π_c(r) = log π_c + log |det K_c| − ||d_c||² / 2 + const,

    ŷ = Σ_c π_c(r) (μy_c + B_c (K_c M)ᵀ d_c).

So the decoder is linear in the numbers π_c(r) and π_c(r) (K_c M)ᵀ d_c, which are its coefficients.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.latents.packing import real_embedding
from latentlink.linear.transceiver import LinearTransceiver
from latentlink.links.link_file import saved_tensors, taken_out
from latentlink.links.operation_count import REAL_WEIGHT, OperationCount
from latentlink.links.shapes import check_received
from latentlink.links.transceiver import BaseTransceiver
from latentlink.nonlinear.mixture import Classes, MixtureDecoder
from latentlink.numerics.doors import AnyArray, check_instance
from latentlink.storage.artifacts import artifact


@artifact("mixture link")
@dataclass(frozen=True, eq=False, repr=False)
class MixtureTransceiver(BaseTransceiver):
    """A linear precoder, and the conditional mean under class-conditional Gaussians (see the module), for a batch `...` of channels.

    Attributes:
        link: the linear link, whose precoder is used.
        decoder: what is known of the classes.
        whitening: K (…, c, a, a) of the a = 2 u n_rx real numbers that are received.
        expected: K M μz (…, c, a), what is received of each class in the mean, whitened.
        response: K M (…, c, a, s).
        score: log π + log |det K| (…, c).

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> pilots = ll.Pilots(x, x[:, :6].tanh(), (x[:, 0] > 0).long())
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(pilots.x, pilots.y))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=0), snr_db=20.0)
        >>> linear = ll.ClosedForm().design(modes, channel).transceiver
        >>> link = ll.nonlinear.MixtureTransceiver.of(ll.nonlinear.MixtureDecoder.of(modes, pilots), linear)
        >>> link.probability(channel.apply(link.encode(x), generator=0)).shape
        torch.Size([500, 2])
    """

    link: LinearTransceiver
    decoder: MixtureDecoder
    whitening: Float[Tensor, "*batch c a a"]
    expected: Float[Tensor, "*batch c a"]
    response: Float[Tensor, "*batch c a s"]
    score: Float[Tensor, "*batch c"]

    def __post_init__(self) -> None:
        for name in ("whitening", "expected", "response", "score"):  # laid out as a loaded link is, so that both give the same bits
            object.__setattr__(self, name, getattr(self, name).contiguous())

    @classmethod
    def of(cls, decoder: MixtureDecoder, link: LinearTransceiver) -> "MixtureTransceiver":
        """The link with this decoder in the place of its own.

        Args:
            decoder: what is known of the classes, of the link's modes.
            link: a linear link.

        Raises:
            ValueError: they are not such or do not fit each other, single messages are limited, which changes the law of what is sent, or
                the link awaits a channel.
        """
        check_instance("decoder", decoder, MixtureDecoder, "MixtureDecoder.of(modes, pilots)")
        check_instance("link", link, LinearTransceiver, "ClosedForm().design(modes, channel).transceiver")
        if not link.scalable:
            raise ValueError("link must not limit single messages, which are then no mixture of Gaussians: take power.Mean() or PerUse()")
        if link.awaits_channel:
            raise ValueError("link must be matched to the channel that its receiver measures: link.matched_to(received)")
        s, (m, k) = link.streams.shape[-1], decoder.cov_yz.shape[1:]
        if m != len(link.mean_y) or s > k:
            raise ValueError(f"decoder must know at least {s} modes → {len(link.mean_y)}, as the link has, got {k} modes → {m}")
        decoder = decoder.to(link.precoder.dtype).to(link.precoder.device)
        classes = decoder.classes(s)
        M = _received(link)
        disturbance = _disturbance(link, classes)
        covariance = M.unsqueeze(-3) @ classes.cov_zz @ M.unsqueeze(-3).mT + disturbance
        size = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
        loading = torch.finfo(M.dtype).eps * size  # keeps it definite where there is no noise
        eye = torch.eye(M.shape[-2], dtype=M.dtype, device=M.device)
        root = torch.linalg.cholesky(covariance + torch.where(loading > 0, loading, 1.0)[..., None, None] * eye)
        whitening = torch.linalg.solve_triangular(root, eye.expand(root.shape), upper=False)
        response = whitening @ M.unsqueeze(-3)
        expected = (response @ classes.means_z.unsqueeze(-1)).squeeze(-1)
        score = classes.probability.log() + whitening.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return cls(link, decoder, whitening, expected, response, score)

    @property
    def channel(self) -> Channel:
        """The channel that the decoder is matched to; its power is the budget."""
        return self.link.channel

    @property
    def classes(self) -> Classes:
        """The Gaussians of the classes, in the modes that are sent."""
        return self.decoder.classes(self.response.shape[-1])

    @property
    def mean_y(self) -> Float[Tensor, "m"]:
        """Zeros (m,): the means of the classes are among the columns of `synthesis`."""
        return torch.zeros_like(self.link.mean_y)

    @property
    def synthesis(self) -> Float[Tensor, "m k"]:
        """The means μy_c, and then the covariances B_c of each class, side by side (m, c + c s)."""
        classes = self.classes
        return torch.cat([classes.means_y.mT, classes.cov_yz.movedim(0, 1).flatten(1)], 1)

    @property
    def flops(self) -> OperationCount:
        """The operations for one message: for each class a whitening, a response and the products with its part of `synthesis`."""
        c, a, s = self.response.shape[-3:]
        return OperationCount(self.link.flops.encode, REAL_WEIGHT * c * (a * a + a * s + len(self.mean_y) * (1 + s)))

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d), as those of the linear link; raises as it does."""
        return self.link.encode(x)

    def probability(self, r: AnyArray) -> Float[Tensor, "*batch n c"]:
        """The probability π_c(r) (…, n, c) of each class that has pilots; raises as `receive`."""
        return self._received(r)[0]

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n k"]:
        """Coefficients (…, n, c + c s) of received symbols r (…, n, u, n_rx): π_c(r), and π_c(r) (K_c M)ᵀ d_c.

        Raises:
            ValueError: r is real or not finite, its uses or antennas are not the channel's, or its batch does not fit.
        """
        probability, apart = self._received(r)
        filtered = apart @ self.response  # (…, c, n, s)
        weighed = probability.mT.unsqueeze(-1) * filtered
        return torch.cat([probability, weighed.movedim(-3, -2).flatten(-2)], -1)

    def _received(self, r: AnyArray) -> tuple[Float[Tensor, "*batch n c"], Float[Tensor, "*batch c n a"]]:
        """The probability of each class, and d_c."""
        r = check_received(r, self.channel, self.batch).flatten(-2)
        real = torch.cat([r.real, r.imag], -1).to(self.whitening)
        apart = real.unsqueeze(-3) @ self.whitening.mT - self.expected.unsqueeze(-2)
        return torch.softmax(self.score.unsqueeze(-2) - apart.square().sum(-1).mT / 2, -1), apart

    def matched_to(self, channel: Channel) -> "MixtureTransceiver":
        """The same precoder, with the decoder for another channel; raises as `LinearTransceiver.matched_to`."""
        return self.of(self.decoder, self.link.matched_to(channel))

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True: the precoder is scaled, and the decoder matched to it."""
        return True

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "MixtureTransceiver":
        """The same at powers times a factor (…), known at both ends; a ValueError where it is negative or of another shape."""
        return self.of(self.decoder, self.link.scaled(factor))

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        facts = self.link.to_tensors()[1]
        return saved_tensors(self), {**facts, **self.decoder.to_tensors()[1]}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "MixtureTransceiver":
        """The link of a saved file."""
        link = LinearTransceiver.from_tensors(taken_out(tensors, "link."), manifest)
        decoder = MixtureDecoder.from_tensors(taken_out(tensors, "decoder."), manifest)
        found = cls(link=link, decoder=decoder, **tensors)
        made = cls.of(decoder, link)
        for name in ("whitening", "expected", "response", "score"):
            if getattr(found, name).shape != getattr(made, name).shape:
                raise ValueError(f"{name} must have shape {tuple(getattr(made, name).shape)}, got {tuple(getattr(found, name).shape)}")
        return found


def _symbols(link: LinearTransceiver) -> Complex[Tensor, "*batch s u t"]:
    """The symbols of each mode."""
    s = link.streams.shape[-1]
    return link.symbols(torch.eye(s, dtype=link.precoder.dtype, device=link.precoder.device))


def _received(link: LinearTransceiver) -> Float[Tensor, "*batch a s"]:
    """M = H F̃, real parts before imaginary parts."""
    arrived = torch.einsum("...urt,...sut->...sur", link.channel.h.to(link.precoder.dtype.to_complex()), _symbols(link)).flatten(-2)
    return torch.cat([arrived.real, arrived.imag], -1).mT


def _disturbance(link: LinearTransceiver, classes: Classes) -> Float[Tensor, "*batch c a a"]:
    """The covariance N of the noise for each class, of interference, and of E s for a channel error E, which uses may share."""
    channel, F = link.channel, _symbols(link)
    eye = torch.eye(channel.uses, dtype=F.dtype, device=F.device)
    second = classes.cov_zz + classes.means_z.unsqueeze(-1) * classes.means_z.unsqueeze(-2)
    sent = torch.einsum("...aut,cab,...bvt->...cuv", F, second.to(F), F.conj())
    sent = sent if is_block_fading(channel.h) else sent * eye
    between = channel.noise_variance[..., None, None, None] * eye + channel.error_variance[..., None, None, None] * sent
    per_antenna = torch.kron(between, torch.eye(channel.n_rx, dtype=F.dtype, device=F.device))
    white = real_embedding(per_antenna) / 2
    return white if channel.interference is None else white + channel.interference.unsqueeze(-3)
