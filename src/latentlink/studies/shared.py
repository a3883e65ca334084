"""Data that cells share, computed once: latents, the receiver's head, pilots, moments, semantic modes.

`ScenarioData` holds the data of all cells of one pair of devices, `knowledge.PilotKnowledge` those of cells with the same pilots. Values
are made when they are first asked for (see `thread_safe_cache`), so that cells may run in threads and none repeats the work of another.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from latentlink.bounds.accuracy import AccuracyBound
from latentlink.data.cache import EncodingProgress
from latentlink.execution.executor import Executor
from latentlink.latents.moments import Moments
from latentlink.latents.pilot_selection import PilotSelection
from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.numerics.identity import identity_of
from latentlink.storage.artifacts import load_if_there
from latentlink.storage.folders import cache_folder
from latentlink.studies.device_pairs import load_changed, load_pair
from latentlink.studies.drift import Changed
from latentlink.studies.drift_at import DriftAt
from latentlink.studies.knowledge import PilotKnowledge
from latentlink.studies.network_at import NetworkAt
from latentlink.studies.network_data import NetworkData, NetworkKnowledge, load_network
from latentlink.studies.pilots_at import PilotsAt, Unpaired
from latentlink.studies.sections import Data, Encoders
from latentlink.studies.seeding import Draw
from latentlink.studies.thread_safe_cache import ThreadSafeCache
from latentlink.studies.unpaired import OwnLatents
from latentlink.tasks.heads import LinearHead, SoftmaxHead, decisions, fit_head
from latentlink.tasks.regression import RegressionHead

_HEAD_VERSION = 1  # raise it when `fit_head` gives another head
_ENOUGH = 2  # test latents per dimension that limits may be drawn by


class ScenarioData:
    """All latents of a pair of devices, and the receiver's head, fitted to its own training latents.

    It is pickled without what was made of them.
    """

    def __init__(
        self,
        data: Data,
        encoders: Encoders,
        device: str,
        progress: EncodingProgress | None = None,
        executor: Executor | None = None,
        drift: DriftAt | None = None,
        network: NetworkAt | None = None,
    ) -> None:
        pair = load_pair(data, encoders, device, progress, executor)
        self.dataset, self.transmitter, self.receiver = pair.dataset, pair.transmitter, pair.receiver
        self.candidates, self.test = pair.pilots.to(device), pair.test.to(device)
        self.head = fit_receiver_head(self.candidates)
        self.changed: Changed | None = None
        if drift is not None and drift.happened:
            found = load_changed(drift, pair, data, encoders, device, progress=progress, executor=executor)
            self.changed, self.test = found.to(device), found.measured.pairs.to(device)
        self.network: NetworkData | None = None
        if network is not None and network.present:
            self._load_network(network, data, encoders, device, progress=progress, executor=executor)
        self._cache = ThreadSafeCache()

    def _load_network(self, network: NetworkAt, data: Data, encoders: Encoders, device: str, **encoding: Any) -> None:
        self.network = load_network(network, data, encoders, device, fit_receiver_head, **encoding)
        self._own_images = network.own_images

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name != "_cache"}
        after = None if self.changed is None else self.changed.to("cpu")
        return state | {
            "candidates": self.candidates.to("cpu"),
            "test": self.test.to("cpu"),
            "head": self._head_on("cpu"),
            "changed": after,
            "network": None if self.network is None else self.network.to("cpu"),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _cache=ThreadSafeCache())

    def to(self, device: str) -> "ScenarioData":
        """The same on another device."""
        moved = copy.copy(self)
        moved.candidates, moved.test, moved.head = self.candidates.to(device), self.test.to(device), self._head_on(device)
        moved.changed = None if self.changed is None else self.changed.to(device)
        moved.network = None if self.network is None else self.network.to(device)
        moved._cache = ThreadSafeCache()
        return moved

    def _head_on(self, device: str) -> LinearHead | None:
        """A copy of the head on a device: moving a module would change it in place."""
        return None if self.head is None else copy.deepcopy(self.head).to(device)

    def known(self, at: PilotsAt, seed: int) -> PilotKnowledge:
        """The knowledge that cells with these pilots share."""

        def selected() -> PilotKnowledge:
            own = None if at.unpaired is None else self.own_latents(at.unpaired)
            candidates = self.candidates if own is None else own.transmitter
            if at.count == 0:
                return PilotKnowledge(None, self.head, candidates.x, own=own)
            if at.per_class is None and at.count is None:
                return PilotKnowledge(candidates, self.head, own=own)
            chosen = self._chosen(at, candidates, seed)
            others = torch.ones(len(candidates), dtype=torch.bool, device=chosen.device)
            others[chosen] = False
            return PilotKnowledge(candidates[chosen], self.head, candidates.x[others] if bool(others.any()) else None, own=own)

        return self._cache.get((at, seed), selected)

    def network_known(self, at: PilotsAt, seed: int) -> NetworkKnowledge:
        """The knowledge that cells of a network with these pilots share, which are rows of every device's training latents."""
        assert self.network is not None
        data = self.network

        def selected() -> NetworkKnowledge:
            everything = at.per_class is None and at.count is None
            of_first = data.users[0][0]
            rows = torch.arange(len(of_first), device=of_first.y.device) if everything else self._chosen(at, of_first, seed)
            return NetworkKnowledge.of(data, rows, self._own_images)

        return self._cache.get(("network", at, seed), selected)

    def known_after(self, at: PilotsAt, seed: int, drift: DriftAt) -> PilotKnowledge:
        """The knowledge of the past, with so many new observations of a change, which the seed draws."""
        past = self.known(at, seed)
        if self.changed is None or drift.new == 0:
            return past
        there = self.changed.known

        def drawn() -> PilotKnowledge:
            if drift.new > len(there.before):
                raise ValueError(f"drift.new must be at most {len(there.before)}, the observations to learn from, got {drift.new}")
            rows = torch.randperm(len(there.before), generator=Draw.NEWS.generator(seed), device="cpu")[: drift.new]
            return past.with_news(there[rows.to(there.before.device)])

        return past.shared(("news", drift.new), drawn)

    def own_latents(self, unpaired: Unpaired) -> OwnLatents:
        """The latents that each end has without partners, which all cells share."""
        return self._cache.get(("own", unpaired), lambda: OwnLatents(self.candidates, unpaired, self.head))

    def _chosen(self, at: PilotsAt, candidates: Pilots, seed: int) -> Tensor:
        """The rows of the candidates that become pilots."""
        if at.count is not None:
            if at.count > len(candidates):
                raise ValueError(f"pilots.count must be at most {len(candidates)}, the observations to choose from, got {at.count}")
            method: Any = at.method
            return PilotSelection(count=at.count, method=method, seed=Draw.PILOTS.seed(seed)).indices(candidates.x)
        assert at.per_class is not None
        if at.grouping == "label":
            self._check_enough(at.per_class, candidates)
        selection = PilotSelection(at.per_class, at.method, at.grouping, Draw.PILOTS.seed(seed), "all")  # clusters differ in size
        return selection.indices(candidates.x, candidates.labels)

    def _check_enough(self, wanted: int, candidates: Pilots) -> None:
        if candidates.labels is None:
            raise ValueError(f"pilots.per_class must be null where the data have no labels, which takes all pilots, got {wanted}")
        labels, counts = candidates.labels.unique(return_counts=True)
        if int(counts.min()) < wanted:
            rarest = int(labels[counts.argmin()])
            raise ValueError(
                f"pilots.per_class must be at most {int(counts.min())}, the observations of class "
                f"{candidates.names[rarest] if candidates.names else rarest} among the "
                f"{len(candidates)} that data.train leaves, or null for all of them, got {wanted}"
            )

    def forget(self, at: PilotsAt, seed: int) -> None:
        """Free what the cells of a finished group shared."""
        self._cache.drop((at, seed))
        self._cache.drop(("network", at, seed))

    @property
    def accuracy_bound(self) -> AccuracyBound:
        """The bound on accuracy by capacity, of the head and the test latents."""
        return self._cache.get("bound", lambda: AccuracyBound.of(self._decided(), self.test.require_labels()))

    def _decided(self) -> Tensor:
        """The decisions of the head on the receiver's own latents."""
        if self.head is None:
            raise ValueError("there is no head whose decisions could be bounded: give labels")
        return decisions(self.head, self.test.y)

    @property
    def limit_modes(self) -> SemanticModes:
        """The modes for limits: of the test latents' own moments or, where these are few for their dimension, of training and test latents.

        The moments of few latents would make a limit look lower than any link can reach.
        """

        def made() -> SemanticModes:
            x, y = self.test.x, self.test.y
            if len(x) < _ENOUGH * x.shape[1]:
                x, y = torch.cat([self.candidates.x, x]), torch.cat([self.candidates.y, y])
            return semantic_modes(Moments.from_pairs(x, y), shrinkage=0.0)

        return self._cache.get("limits", made)


def fit_receiver_head(candidates: Pilots) -> LinearHead | None:
    """The receiver's classifier or regression, fitted to all its training latents; a classifier once on this machine.

    Without labels and targets there is none.
    """
    if candidates.labels is None:
        return None if candidates.targets is None else RegressionHead.fit(candidates.y, candidates.targets)
    return fit_stored_head(candidates.y, candidates.require_labels(), candidates.names)


def fit_stored_head(latents: Tensor, labels: Tensor, names: tuple[str, ...] | None) -> SoftmaxHead:
    """A classifier of latents, fitted once on this machine."""
    identity = identity_of(latents, labels, *((names,) if names else ()))
    path = cache_folder() / "heads" / f"{identity}-{_HEAD_VERSION}.safetensors"
    if (before := load_if_there(path, SoftmaxHead)) is not None:
        return before.to(latents.device)
    head = fit_head(latents, labels, names=names)
    head.save(path)
    return head
