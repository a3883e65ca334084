"""The linear transceiver: one pair of matrices for each channel, kept in factors.

A linear transceiver sends s = F̃ z with the coefficients z = Φ (x − μx) of the semantic modes, and receives ŷ = μy + Ψ ẑ with ẑ = G̃ r.
F̃ and G̃ are real, acting on stacked real and imaginary parts (widely linear), and block-diagonal over groups of channel uses: one use a
group, unless a design mixes uses. `streams` says which real slot of which group carries which mode; Φ and Ψ are shared by the whole batch
of channels, so nothing of size d or m is stored per channel.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from latentlink.channels.channel import Channel, is_block_fading
from latentlink.channels.interference import blocks_of_groups
from latentlink.latents.packing import real_embedding
from latentlink.links.link_file import channel_from, limit_from, link_facts, saved_tensors
from latentlink.links.operation_count import REAL_WEIGHT, OperationCount
from latentlink.links.shapes import broadcast_batch, check_factor, check_latents, check_received, check_same_transmitter
from latentlink.links.transceiver import BaseTransceiver
from latentlink.numerics.doors import AnyArray
from latentlink.power import Mean, PowerLimit
from latentlink.storage.artifacts import artifact

_MATCHED = 1e-3  # deviation from the LMMSE decoder, of its largest entry, that rounding of float32 explains


@artifact("link")
@dataclass(frozen=True, eq=False, repr=False)
class LinearTransceiver(BaseTransceiver):
    """Semantic precoder and decoder for a batch of channels (see the module); s streams, g groups of w channel uses, q symbols a group.

    Attributes:
        analysis: Φ (s, d), the modes' directions at the transmitter.
        synthesis: Ψ (m, s), the modes' directions at the receiver.
        mean_x: μx (d,), mean of the transmitter's latents.
        mean_y: μy (m,), mean of the receiver's latents.
        streams: (…, s), the slot of each mode among g × 2q, real parts before imaginary parts in each group.
        precoder: F̃ (…, g, 2 w n_tx, 2q).
        decoder: G̃ (…, g, 2q, 2 w n_rx).
        channel: what the decoder is matched to; its power is the budget.
        moments_zz: E[z' z'ᵀ] (…, g, 2q, 2q) of the coefficients z' that are sent; None where it is I.
        moments_tz: E[t z'ᵀ] (…, g, 2q, 2q) with the coefficients t that the receiver wants; None where it is I.
        power_limit: what the budget limits.
        encoders: names of the transmitter's and the receiver's encoder, for the record.
        awaits_channel: True if the decoder has to be matched to what the receiver measures before anything is received.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> link.encode(x).shape, link.decode(channel.apply(link.encode(x), generator=0)).shape
        (torch.Size([500, 1, 2]), torch.Size([500, 6]))
        >>> link.flops.total
        112
    """

    analysis: Float[Tensor, "s d"]
    synthesis: Float[Tensor, "m s"]
    mean_x: Float[Tensor, "d"]
    mean_y: Float[Tensor, "m"]
    streams: Int[Tensor, "*batch s"]
    precoder: Float[Tensor, "*batch g t2 q2"]
    decoder: Float[Tensor, "*batch g q2 r2"]
    channel: Channel
    moments_zz: Float[Tensor, "*batch g q2 q2"] | None = None
    moments_tz: Float[Tensor, "*batch g q2 q2"] | None = None
    power_limit: PowerLimit = field(default_factory=Mean)
    encoders: tuple[str, str] = ("unnamed", "unnamed")
    awaits_channel: bool = False

    def __post_init__(self) -> None:
        for name in ("analysis", "synthesis", "precoder", "decoder"):  # laid out as a loaded link is, so that both give the same bits
            object.__setattr__(self, name, getattr(self, name).contiguous())

    @property
    def batch(self) -> torch.Size:
        return self.streams.shape[:-1]

    @property
    def flops(self) -> OperationCount:
        """Operations for one message, with dense real matrices F (2 u n_tx × d) and G (m × 2 u n_rx) stored for one channel."""
        rows, columns = 2 * self.channel.uses * self.channel.n_tx, 2 * self.channel.uses * self.channel.n_rx
        return OperationCount(REAL_WEIGHT * rows * len(self.mean_x), REAL_WEIGHT * columns * len(self.mean_y))

    def encode(self, x: AnyArray) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols s (…, n, u, n_tx) of latents x (n, d) or (…, n, d), in the transceiver's precision and on its device.

        Raises:
            ValueError: x is complex or not finite, its last dimension is not d, it has no message axis, or its batch does not fit.
        """
        x = check_latents(x, len(self.mean_x), self.batch)
        s = self.symbols((x.to(self.analysis) - self.mean_x) @ self.analysis.mT)
        if not self.power_limit.limits_messages:
            return s
        budget = (self.channel.uses * self.channel.power).unsqueeze(-1)
        return s * self.power_limit.message_gain(s.abs().square().sum((-2, -1)), budget)[..., None, None]

    def receive(self, r: AnyArray) -> Float[Tensor, "*batch n s"]:
        """Mode coefficients ẑ (…, n, s) of received symbols r, from which `decode` makes ŷ = μy + Ψ ẑ.

        Raises:
            ValueError: r is real or not finite, its uses or antennas are not the channel's, or its batch does not fit; or the decoder has
                not been matched to the channel that it awaits.
        """
        if self.awaits_channel:
            raise ValueError(
                "transceiver must be matched to the channel that its receiver measures: "
                "solution = csi.at_reception(solution, modes, truth, received), or link.matched_to(received)"
            )
        r = check_received(r, self.channel, self.batch)
        groups = self.decoder.shape[-3]
        received = r.unflatten(-2, (groups, -1)).flatten(-2).movedim(-2, -3)
        slots = torch.cat([received.real, received.imag], -1).to(self.decoder) @ self.decoder.mT
        slots = slots.movedim(-3, -2).flatten(-2)
        index = self.streams.unsqueeze(-2).expand(*slots.shape[:-1], -1)
        return slots.gather(-1, index)

    def symbols(self, z: Float[Tensor, "*a n s"]) -> Complex[Tensor, "*b n u t"]:
        """F̃ z: channel symbols (…, n, u, n_tx) of mode coefficients z (…, n, s), before any scaling per message."""
        groups, slots = self.precoder.shape[-3], self.precoder.shape[-1]
        batch = torch.broadcast_shapes(z.shape[:-2], self.streams.shape[:-1])
        z = z.expand(*batch, *z.shape[-2:])
        empty = z.new_zeros(*batch, z.shape[-2], groups * slots)
        filled = empty.scatter(-1, self.streams.unsqueeze(-2).expand(z.shape), z)
        sent = filled.unflatten(-1, (groups, slots)).movedim(-2, -3) @ self.precoder.mT
        real, imag = sent.unflatten(-1, (2, -1, self.channel.n_tx)).unbind(-3)
        return torch.complex(real, imag).movedim(-4, -3).flatten(-3, -2)

    def matched_to(self, channel: Channel) -> "LinearTransceiver":
        """The same precoder with the LMMSE decoder for another channel, G = E[t z'ᵀ] Mᵀ (M E[z' z'ᵀ] Mᵀ + C)^{-1}, M = H F̃.

        C is the covariance of the noise and, where the channel is known only up to an error E, of E s, that error times the signal; and
        of interference, within each group of uses.

        Raises:
            ValueError: the antennas or uses differ from the precoder's, or the batches do not broadcast.
        """
        check_same_transmitter(channel, self.channel, coloured=True)
        batch = broadcast_batch("channel", channel.batch, self.batch)
        channel = channel.to(self.precoder.dtype)
        M = self._effective(channel)
        sent = M if self.moments_zz is None else M @ self.moments_zz
        wanted = M.mT if self.moments_tz is None else self.moments_tz @ M.mT
        covariance = sent @ M.mT + self._disturbance(channel)
        loading = torch.finfo(M.dtype).eps * covariance.diagonal(dim1=-2, dim2=-1).sum(-1)  # keeps it definite where there is no noise
        covariance = covariance + torch.diag_embed(torch.where(loading > 0, loading, 1.0).unsqueeze(-1).expand(covariance.shape[:-1]))
        decoder = torch.linalg.solve(covariance, wanted.mT).mT
        changed: dict[str, Any] = {"decoder": decoder, "channel": replace(channel, power=self.channel.power), "awaits_channel": False}
        for name, own in (("streams", 1), ("precoder", 3), ("moments_zz", 3), ("moments_tz", 3)):
            if (value := getattr(self, name)) is not None:
                changed[name] = value.expand(*batch, *value.shape[-own:])
        return replace(self, **changed)

    @property
    def scalable(self) -> bool:  # type: ignore[override]
        """True unless single messages are scaled, which spend the budget on any latents."""
        return not self.power_limit.limits_messages

    def scaled(self, factor: Float[Tensor, "*batch"]) -> "LinearTransceiver":
        """The same at powers times a factor c (…), known at both ends: F̃ √c, and G̃ / √c or, where G̃ is the LMMSE decoder, that of F̃ √c.

        Raises:
            ValueError: messages are limited one by one, or the factor is negative, not finite or of another shape.
        """
        if not self.scalable:
            return super().scaled(factor)  # type: ignore[return-value]
        root = check_factor(factor, self.precoder, self.batch).sqrt()[..., None, None, None]
        link = replace(self, precoder=self.precoder * root, decoder=self.decoder / torch.where(root > 0, root, 1.0))
        if self.awaits_channel:
            return link
        matched = self.matched_to(self.channel).decoder
        is_matched = (matched - self.decoder).abs().amax() <= _MATCHED * self.decoder.abs().amax()
        return link.matched_to(self.channel) if bool(is_matched) else link

    def response(
        self, channel: Channel | None = None, covariance: Float[Tensor, "*c s s"] | None = None
    ) -> tuple[Float[Tensor, "*batch s s"], Float[Tensor, "*batch s s"]]:
        """T (…, s, s) and noise covariance (…, s, s) of the coefficients, ẑ = T z + noise, before any scaling per message.

        Args:
            channel: the channel that the link is used on, the decoder's own if not given; its error E adds the noise E s.
            covariance: E[z zᵀ] (s, s) or (…, s, s) of the coefficients, for that noise; I, the design covariance, if not given.
        """
        channel = self.channel if channel is None else channel.to(self.precoder.dtype)
        T = self._between_streams(self.decoder @ self._effective(channel))
        if not channel.uncertain and not channel.coloured:  # the noise of different groups is independent
            return T, channel.noise_variance[..., None, None] / 2 * self._between_streams(self.decoder @ self.decoder.mT)
        s = self.streams.shape[-1]
        C = torch.eye(s, dtype=T.dtype, device=T.device) if covariance is None else covariance
        F = self.symbols(torch.eye(s, dtype=T.dtype, device=T.device))  # (…, s, u, t)
        disturbed = torch.einsum("...aut,...ab,...bvt->...uv", F, C.to(F), F.conj())  # covariance of E s between pairs of uses
        eye = torch.eye(channel.uses, dtype=F.dtype, device=F.device)
        disturbed = disturbed if is_block_fading(channel.h) else disturbed * eye.real
        noise = channel.noise_variance[..., None, None] * eye + channel.error_variance[..., None, None] * disturbed
        G = self._combiner()
        covariance = torch.einsum("...aur,...uv,...bvr->...ab", G, noise.expand(*G.shape[:-3], -1, -1), G.conj()).real / 2
        if channel.interference is None:
            return T, covariance
        rows = torch.cat([G.real.flatten(-2), -G.imag.flatten(-2)], -1)
        return T, covariance + rows @ channel.interference @ rows.mT

    def group_response(self) -> tuple[Float[Tensor, "*batch g q2 q2"], Float[Tensor, "*batch g q2 q2"]]:
        """T and noise covariance (…, g, 2q, 2q) between the slots of each group, on the decoder's channel if it is known exactly."""
        noise = self.channel.noise_variance[..., None, None, None] / 2 * (self.decoder @ self.decoder.mT)
        if self.channel.interference is not None:
            noise = noise + self.decoder @ blocks_of_groups(self.channel.interference, self.decoder.shape[-3]) @ self.decoder.mT
        return self.decoder @ self._effective(self.channel), noise

    def _combiner(self) -> Complex[Tensor, "*batch s u r"]:
        """G̃ as complex weights (…, s, u, n_rx), ẑ = Re Σ_{u, r} G r: what is received of the real and imaginary unit of each symbol."""
        symbol = (self.channel.uses, self.channel.n_rx)
        unit = torch.eye(symbol[0] * symbol[1], dtype=self.decoder.dtype.to_complex(), device=self.decoder.device).unflatten(-1, symbol)
        return torch.complex(self.receive(unit), -self.receive(1j * unit)).mT.unflatten(-1, symbol)

    def expected_power(self, covariance: Float[Tensor, "s s"]) -> Float[Tensor, "*batch"]:
        """Mean power per channel use (…) when the coefficients have this covariance (I is the design covariance)."""
        s = self.streams.shape[-1]
        at = self.slot_modes()
        padded = torch.nn.functional.pad(covariance.to(self.precoder)[:s, :s], (0, 1, 0, 1))
        blocks = padded[at.unsqueeze(-1), at.unsqueeze(-2)]  # (…, g, 2q, 2q): modes of different groups share no symbol
        return ((self.precoder.mT @ self.precoder) * blocks).sum((-3, -2, -1)) / self.channel.uses

    def slot_modes(self) -> Int[Tensor, "*batch g q2"]:
        """The mode at each slot (…, g, 2q), and s, their number, at slots without a mode."""
        s = self.streams.shape[-1]
        groups, slots = self.precoder.shape[-3], self.precoder.shape[-1]
        nothing = torch.full((*self.streams.shape[:-1], groups * slots), s, device=self.streams.device)
        modes = torch.arange(s, device=nothing.device).expand(self.streams.shape)
        return nothing.scatter(-1, self.streams, modes).unflatten(-1, (groups, slots))

    def stream_gram(self) -> Float[Tensor, "*batch s s"]:
        """F̃ᵀF̃ (…, s, s) of the streams: its diagonal is the power of each."""
        return self._between_streams(self.precoder.mT @ self.precoder)

    def _between_streams(self, blocks: Float[Tensor, "*batch g q2 q2"]) -> Float[Tensor, "*batch s s"]:
        """Rows and columns (…, s, s) that belong to the streams, of a block-diagonal matrix with one block for each group."""
        slots = blocks.shape[-1]
        streams = self.streams.expand(*blocks.shape[:-3], -1)
        group, slot = streams // slots, streams % slots
        rows = blocks.flatten(-3, -2).gather(-2, streams.unsqueeze(-1).expand(*streams.shape, slots))
        square = rows.gather(-1, slot.unsqueeze(-2).expand(*streams.shape, streams.shape[-1]))
        return square * (group.unsqueeze(-1) == group.unsqueeze(-2))

    def _effective(self, channel: Channel) -> Float[Tensor, "*batch g r2 q2"]:
        """The effective channel M = H F̃ (…, g, 2 w n_rx, 2q) of each group of uses, in real coordinates."""
        F = self._beams()
        received = channel.h.unflatten(-3, F.shape[-4:-2]) @ F
        return torch.cat([received.real.flatten(-3, -2), received.imag.flatten(-3, -2)], -2)

    def _beams(self) -> Complex[Tensor, "*batch g w t q2"]:
        """F̃ as complex beams (…, g, w, n_tx, 2q), one for each real slot, group and use."""
        width = self.channel.uses // self.precoder.shape[-3]
        F = self.precoder.unflatten(-2, (2, width, self.channel.n_tx))
        return torch.complex(F[..., 0, :, :, :], F[..., 1, :, :, :])

    def _disturbance(self, channel: Channel) -> Float[Tensor, "*batch g r2 r2"]:
        """The covariance C: σ²/2 I plus that of E s for a channel error of variance τ, correlated over uses that share one error."""
        F = self._beams()
        groups, width = F.shape[-4:-2]
        sent = F if self.moments_zz is None else F @ self.moments_zz.unsqueeze(-3).to(F)
        correlation = (
            (sent.flatten(-2) @ F.flatten(-2).mH) if is_block_fading(channel.h) else torch.diag_embed((sent * F.conj()).sum((-2, -1)))
        )
        eye = torch.eye(width, dtype=F.dtype, device=F.device)
        noise = channel.noise_variance[..., None, None, None] * eye + channel.error_variance[..., None, None, None] * correlation
        per_antenna = torch.kron(noise, torch.eye(channel.n_rx, dtype=noise.dtype, device=noise.device))
        disturbance = real_embedding(per_antenna.expand(*per_antenna.shape[:-3], groups, -1, -1)) / 2
        return disturbance if channel.interference is None else disturbance + blocks_of_groups(channel.interference, groups)

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        facts = link_facts(self.channel, len(self.mean_x), len(self.mean_y), self.power_limit)
        facts |= {"streams": self.streams.shape[-1], "encoders": list(self.encoders), "awaits_channel": self.awaits_channel}
        return saved_tensors(self), facts

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], manifest: dict[str, Any]) -> "LinearTransceiver":
        """The link of a saved file."""
        channel, limit = channel_from(tensors), limit_from(tensors, manifest)
        transmitter, receiver = manifest["encoders"]
        streams, slots = tensors["streams"], tensors["precoder"].shape[-3] * tensors["precoder"].shape[-1]
        if streams.numel() and not 0 <= int(streams.min()) <= int(streams.max()) < slots:
            raise ValueError(f"streams must be numbers of the {slots} real streams, got {int(streams.min())} to {int(streams.max())}")
        awaits = manifest.get("awaits_channel", False)
        return cls(**tensors, channel=channel, power_limit=limit, encoders=(transmitter, receiver), awaits_channel=awaits)
