"""The latents of all devices of a network, and what a design knows of them.

Users that want what their own source sees get test images in an order of their own, so that no two of them are sent the same image at
once; their pilots are in one order, since moments of devices that see different images are never taken together.
"""

import copy
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from latentlink.data.cache import encode
from latentlink.data.datasets.images import ImageSet
from latentlink.data.encoders.catalogue import encoder as encoder_named
from latentlink.data.pairs import DevicePair
from latentlink.latents.pilots import Pilots
from latentlink.linear.goal import Goal
from latentlink.networks.coordinates import network_modes
from latentlink.networks.modes import NetworkModes
from latentlink.networks.moments import NetworkMoments
from latentlink.numerics.seeds import stream_generator
from latentlink.studies.device_pairs import load_images, load_pair, make_encoder
from latentlink.studies.network_at import NetworkAt
from latentlink.studies.sections import Data, Encoders
from latentlink.studies.thread_safe_cache import ThreadSafeCache
from latentlink.tasks.heads import LinearHead, SoftmaxHead

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class NetworkData:
    """Latents of all devices.

    Attributes:
        sources: candidates for pilots and test latents (n, d_i) of each source.
        users: the same with labels, as `Pilots` whose x and y are both the latents y_k (n, m_k) of each user.
        heads: of each user.
        orders: of the test observations that each user is sent.
        names: of the encoders of sources and of users.
    """

    sources: tuple[tuple[Tensor, Tensor], ...]
    users: tuple[tuple[Pilots, Pilots], ...]
    heads: tuple[LinearHead | None, ...]
    orders: tuple[Tensor, ...]
    names: tuple[tuple[str, ...], tuple[str, ...]]

    def to(self, device: str) -> "NetworkData":
        """The same on another device; heads are copied, since moving a module changes it."""
        return replace(
            self,
            sources=tuple((a.to(device), b.to(device)) for a, b in self.sources),
            users=tuple((a.to(device), b.to(device)) for a, b in self.users),
            heads=tuple(None if head is None else copy.deepcopy(head).to(device) for head in self.heads),
            orders=tuple(order.to(device) for order in self.orders),
        )  # fmt: skip

    def sent(self, of: tuple[int, ...]) -> Tensor:
        """The test latents of some sources, one after the other along the last axis, in the orders in which they are sent."""
        return torch.cat([self.sources[i][1][self.orders[i % len(self.orders)]] for i in of], -1)

    def wanted(self, user: int) -> Pilots:
        """What a user should get for them."""
        return self.users[user][1][self.orders[user]]


def load_network(
    network: NetworkAt, data: Data, encoders: Encoders, device: str, fit_head: Callable[[Pilots], LinearHead | None], **encoding: Any
) -> NetworkData:
    """Load the latents of all devices; `encoding` are arguments of `load_pair`, and `fit_head` fits a receiver's head."""
    wanted, seen = network.user_names(encoders.receiver), network.source_names(encoders.transmitter)
    pairs: dict[tuple[str, str], DevicePair] = {}

    def pair(source: str, user: str) -> DevicePair:
        if (source, user) not in pairs:
            ends = encoders.model_copy(update={"transmitter": source, "receiver": user})
            pairs[source, user] = load_pair(data, ends, device, **encoding)
        return pairs[source, user]

    of_users = [pair(seen[k % len(seen)], name) for k, name in enumerate(wanted)]
    of_sources = [pair(name, wanted[i % len(wanted)]) for i, name in enumerate(seen)]
    users = tuple((replace(each.pilots, x=each.pilots.y), replace(each.test, x=each.test.y)) for each in of_users)
    sources = [(each.pilots.x, each.test.x) for each in of_sources]
    if network.sees == "parts":
        sources = [_of_part(network, i, name, data, encoders, of_sources[i], device, **encoding) for i, name in enumerate(seen)]
    n = len(users[0][1])
    orders = [torch.arange(n, device="cpu")]
    orders += [torch.randperm(n, generator=stream_generator(0, "images of users", k), device="cpu") for k in range(1, len(users))]
    heads = {name: fit_head(pilots) for name, (pilots, _) in dict(zip(wanted, users, strict=True)).items()}  # once an encoder
    return NetworkData(
        tuple(sources), users, tuple(heads[name] for name in wanted),
        tuple(orders if network.own_images else [orders[0]] * len(users)),
        (tuple(each.transmitter for each in of_sources), tuple(each.receiver for each in of_users)),
    ).to(device)  # fmt: skip


def _of_part(
    network: NetworkAt, i: int, name: str, data: Data, encoders: Encoders, pair: DevicePair, device: str, **encoding: Any
) -> tuple[Tensor, Tensor]:
    """Latents of images of which a sensor sees one strip; the rest is black."""
    made = make_encoder(name, encoders.image_size_px)
    encoder = (encoder_named(made, encoders.image_size_px) if isinstance(made, str) else made).to(device)
    found = []
    for images in load_images(data, (len(pair.pilots), len(pair.test)), "network.sees must be whole, got parts"):
        width = images.images.shape[2]
        if width < network.users:
            raise ValueError(f"network.users must be at most {width}, the columns of an image, where sees is parts, got {network.users}")
        begin, end = width * i // network.users, width * (i + 1) // network.users
        pixels = torch.zeros_like(images.images)
        pixels[:, :, begin:end] = images.images[:, :, begin:end]
        strip = ImageSet(f"{images.name}, strip {i + 1} of {network.users}", pixels, images.labels, images.classes)
        found.append(encode(encoder, strip, **encoding))
    return found[0], found[1]


class NetworkKnowledge:
    """The knowledge of the devices of a network about each other's latents; designs of networks work from it.

    Attributes:
        x: pilots (n, d_i) of each source.
        y: pilots (n, m_k) that each user wants.
        heads: of the users; None where there is no task.

    Example:
        >>> import torch
        >>> from latentlink.studies.network_data import NetworkKnowledge
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> NetworkKnowledge((x,), (x.tanh(), x.sin()), (None, None), own_images=False).modes()
        NetworkModes(1 source of 8 coordinates, 2 users)
    """

    def __init__(self, x: tuple[Tensor, ...], y: tuple[Tensor, ...], heads: tuple[LinearHead | None, ...], own_images: bool) -> None:
        self.x, self.y, self.heads, self._own = x, y, heads, own_images
        self._cache = ThreadSafeCache()

    @classmethod
    def of(cls, data: NetworkData, rows: Tensor, own_images: bool) -> "NetworkKnowledge":
        """The knowledge from the pilots of these rows."""
        return cls(
            tuple(each[rows] for each, _ in data.sources), tuple(each.y[rows] for each, _ in data.users), data.heads, own_images
        )  # fmt: skip

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """A value of another kind that is made of these pilots, once for all cells."""
        return self._cache.get(key, make)

    @property
    def moments(self) -> NetworkMoments:
        """The moments of the pilots."""

        def made() -> NetworkMoments:
            return NetworkMoments.from_pilots(self.x, self.y, "own" if self._own else "same")

        return self.shared("moments", made)

    def modes(self, goal: str = "none", temperature: float = 3.0, fidelity: float = 0.0, shrinkage: Any = "auto") -> NetworkModes:
        """The coordinates of the network for a goal of each user, made once.

        Raises:
            ValueError: the goal is fisher or logits and a user has no head, or none that it fits.
        """
        goals = tuple(self.goal(k, goal, temperature, fidelity) for k in range(len(self.y)))
        return self.shared(
            ("modes", goal, temperature, fidelity, shrinkage), lambda: network_modes(self.moments, goals, shrinkage=shrinkage)
        )

    def goal(self, user: int, name: str, temperature: float = 3.0, fidelity: float = 0.0) -> Goal | None:
        """The goal of a user; None for plain MSE, and a ValueError where its head has no such goal."""
        if name == "none":
            return None
        head = self.heads[user]
        if head is None:
            raise ValueError(f"goal must be none where the data have no labels or targets, got {name}")
        if name == "logits":
            return Goal.logits(head, self.y[user], fidelity)
        if not isinstance(head, SoftmaxHead):
            raise ValueError("goal must be logits (the outputs) or none where the receivers' heads are regressions, got fisher")
        return Goal.fisher(head, self.y[user], temperature, fidelity)
