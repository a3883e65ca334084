"""The digital competitor of a semantic link: align, transform-code, protect, adapt; every bit counted.

    x  →  weighted coefficients  →  payload of B bits  →  5G LDPC code  →  QAM over the singular vectors  →  …  →  ŷ = μy + Ψ ẑ.

Same channel uses, same power, same pilots as the analogue designs. What is chosen, and what is left out: docs/digital.md.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from latentlink.channels.channel import Channel
from latentlink.digital.adaptation import Adaptation, left_wrong
from latentlink.digital.coding.block import Beams, Block
from latentlink.digital.genie import GenieTransceiver
from latentlink.digital.source.latent_code import Coordinates, LatentCode
from latentlink.digital.transceiver import DigitalTransceiver
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes
from latentlink.links.solution import Solution, Status
from latentlink.streams.spatial import SpatialModes


@dataclass(frozen=True)
class Digital:
    """A separate digital link: one payload per message, one block over all its channel uses.

    Attributes:
        align: "transmitter" codes the semantic modes, "receiver" the principal components of x, and aligns what was decoded.
        adaptation: "bler" is the best block of a predicted error up to `target_bler` (up to a half where there is none); "genie" knows each
            message's noise (a bound).
        target_bler: of a block, above 0 and below 0.5.

    Raises:
        ValueError: naming the attribute that is something else.

    References:
        [3gpp38212] for the code, [polyanskiy2010channel] for its adaptation, [bamler2022constriction] for the range coder.
    """

    align: str = "transmitter"
    adaptation: str = "bler"
    target_bler: float = 0.1

    def __post_init__(self) -> None:
        if self.align not in ("transmitter", "receiver"):
            raise ValueError(f"align must be 'transmitter' or 'receiver', got {self.align!r}")
        if self.adaptation not in ("bler", "genie"):
            raise ValueError(f"adaptation must be 'bler' or 'genie', got {self.adaptation!r}")
        if not 0 < self.target_bler < 0.5:
            raise ValueError(f"target_bler must be above 0 and below 0.5, got {self.target_bler!r}")

    def code(self, modes: SemanticModes, pilots: Pilots) -> LatentCode:
        """What both devices learn of the latents, for any channel; its tables are made when first needed.

        Args:
            modes: coded if the transmitter aligns; if the receiver does, only their shrinkage is used.
            pilots: for the statistics.

        Raises:
            ValueError: modes or pilots are of another type or dimension, or there are no modes.
        """
        if not isinstance(modes, SemanticModes):
            raise ValueError(f"modes must be SemanticModes (semantic_modes(moments)) or a LatentCode, got {type(modes).__name__}")
        if not isinstance(pilots, Pilots):
            raise ValueError(f"pilots must be Pilots, got {type(pilots).__name__}")
        got, expected = (pilots.x.shape[1], pilots.y.shape[1]), (len(modes.mean_x), len(modes.mean_y))
        if got != expected:
            raise ValueError(f"pilots must be of the modes' dimensions {expected}, got {got}")
        if len(modes) == 0:
            raise ValueError("modes must not be empty: there is nothing to send")
        if self.align == "transmitter":
            return LatentCode(Coordinates.of_modes(modes), pilots)
        return LatentCode(Coordinates.of_moments(Moments.from_pairs(pilots.x, pilots.y), modes.shrinkage), pilots)

    def design(self, modes: SemanticModes | LatentCode, channel: Channel, pilots: Pilots | None = None) -> Solution:
        """The link for every channel of the batch, its h taken for known exactly at both ends.

        Args:
            modes: semantic modes, or a `code` made before: most of the time goes into its tables, which it keeps.
            channel: (…, u, n_rx, n_tx).
            pilots: for the code's statistics; not needed with a code.

        Returns:
            Solution with a `DigitalTransceiver` (`GenieTransceiver`). `trace` has "message_bits" (payload, header included), "block_error"
            as predicted, "code_bits" (with the checksum) and "coded_bits" (on the channel). `expected_mse` is that of held-back pilots.

        Raises:
            ValueError: as `code`; the channel is of another type, on another device or known up to an error only.
            ImportError: the extra `digital` is not installed.
        """
        code = modes if isinstance(modes, LatentCode) else self.code(modes, pilots)  # type: ignore[arg-type]
        if not isinstance(channel, Channel):
            raise ValueError(f"channel must be a Channel (Channel.from_snr(h, snr_db)), got {type(channel).__name__}")
        device, dtype = code.coordinates.mean_x.device, code.coordinates.mean_x.dtype
        if channel.h.device != device:
            raise ValueError(f"channel must be on the modes' device {device}, got {channel.h.device}")
        if bool((channel.error_variance > 0).any()):
            raise ValueError("channel must be known exactly, got an error_variance above 0: neither rates nor demappers allow for one")
        channel = channel.to(dtype)
        flat = channel.flattened()
        spatial = SpatialModes.of(flat.h)
        beams = tuple(Beams.of(spatial, number) for number in range(len(flat.h)))
        adaptation = Adaptation.of(flat, spatial)
        budgets = (flat.power * flat.uses).tolist()
        chosen = adaptation.best(code, self.target_bler)
        blocks = [
            None if option is None else at_budget(adaptation.block(number, option), code, budgets[number])
            for number, option in enumerate(chosen)
        ]
        reach = max((code.reach(block.payload) for block in blocks if block is not None), default=1)
        link: Any = DigitalTransceiver(code, code.coordinates.truncated(reach), channel, beams, tuple(blocks))
        if self.adaptation == "genie":
            ladders = [
                tuple(at_budget(adaptation.block(number, option), code, budgets[number]) for option in options)
                for number, options in enumerate(adaptation.ladder(self.target_bler))
            ]
            reach = max((code.reach(block.payload) for ladder in ladders for block in ladder), default=1)
            link = GenieTransceiver(replace(link, coordinates=code.coordinates.truncated(reach)), tuple(ladders))
        return _solution(link, link.link if self.adaptation == "genie" else link, code)


def at_budget(block: Block, code: LatentCode, budget: float) -> Block:
    """The block with its mean power over held-back pilots brought to the budget: payloads are not uniform."""
    payload = code.held_payloads(block.payload)
    coded = payload if block.code is None else block.code.encode(payload)
    spent = float(block.symbols(coded).abs().square().sum(-1).mean())
    return block.scaled(budget / spent) if spent > 0 else block


def _solution(link: Any, nominal: DigitalTransceiver, code: LatentCode) -> Solution:
    sent = nominal.message_bits > 0
    lost = torch.where(sent, nominal.block_error, 1.0)
    left = [code.variance if block is None else code.left(block.payload)[1] for block in nominal.blocks]
    wrong = [
        code.variance if block is None or block.checked else left_wrong(code.variance, code.left(block.payload)[1], block.payload)
        for block in nominal.blocks
    ]
    kept, gone = (torch.tensor(values).to(lost).reshape(lost.shape) for values in (left, wrong))
    status = torch.where(sent, Status.BASELINE.code, Status.NOTHING_TO_SEND.code)
    bits = [(0, 0) if block is None else (block.information_bits, len(block.order)) for block in nominal.blocks]
    code_bits, coded_bits = torch.tensor(bits, dtype=lost.dtype, device=lost.device).reshape(*lost.shape, 2).unbind(-1)
    trace = {
        "message_bits": nominal.message_bits,
        "block_error": nominal.block_error,
        "code_bits": code_bits,
        "coded_bits": coded_bits,
    }
    power = torch.where(sent, nominal.channel.power, 0.0)
    return Solution(link, status, (1 - lost) * kept + lost * gone, power, trace)
