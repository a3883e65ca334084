"""Blocks of many channels as tensors, for saved links: shapes that all blocks share are stacked, orders of bits are put end to end."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from latentlink.digital.coding.block import Block


def blocks_to_tensors(blocks: Sequence[Block | None], dimensions: int) -> dict[str, Tensor]:
    """The tensors of blocks, a payload of 0 standing for None.

    Args:
        blocks: of channels that are all of one size.
        dimensions: real dimensions D of each block.
    """
    empty = torch.zeros(dimensions, dtype=torch.float64)
    nothing = Block(0, 0, 1.0, empty.long(), empty, empty, empty[:0].long())
    rows = [nothing if block is None else block.to("cpu") for block in blocks]
    return {
        "payload": torch.tensor([row.payload for row in rows], dtype=torch.long),
        "length": torch.tensor([row.length for row in rows], dtype=torch.long),
        "error": torch.tensor([row.error for row in rows], dtype=torch.float64),
        "bits": torch.stack([row.bits for row in rows]) if rows else empty.long().reshape(0, -1),
        "power": torch.stack([row.power for row in rows]) if rows else empty.reshape(0, -1),
        "snr": torch.stack([row.snr for row in rows]) if rows else empty.reshape(0, -1),
        "order": torch.cat([row.order for row in rows]) if rows else empty[:0].long(),
        "slots": torch.tensor([len(row.order) for row in rows], dtype=torch.long),
    }


def blocks_from_tensors(tensors: dict[str, Tensor]) -> Iterator[Block | None]:
    """The blocks of a saved link, None for a payload of 0."""
    orders = tensors["order"].split(tensors["slots"].tolist())
    for number, order in enumerate(orders):
        payload = int(tensors["payload"][number])
        if payload == 0:
            yield None
            continue
        yield Block(
            payload=payload,
            length=int(tensors["length"][number]),
            error=float(tensors["error"][number]),
            bits=tensors["bits"][number],
            power=tensors["power"][number],
            snr=tensors["snr"][number],
            order=order,
        )
