"""A cell: one design measured at one point.

All of it is frozen and plain. Its id is the SHA-256 of the values that make a difference (`canonical`) and of RESULTS_VERSION, which is
raised whenever the code changes the results of a cell.
"""

import difflib
import hashlib
import json
from functools import cached_property
from typing import Any, Literal

from pydantic import model_validator

from latentlink.data.encoders.catalogue import ENCODERS, TEXT_ENCODERS, is_encoder_name
from latentlink.studies.channel_files import check_samples
from latentlink.studies.channels import elements_of, standard_model
from latentlink.studies.drift_at import DriftAt
from latentlink.studies.estimators import check as check_estimator
from latentlink.studies.methods.catalogue import AnyMethod
from latentlink.studies.network_at import NetworkAt
from latentlink.studies.pilots_at import PilotsAt
from latentlink.studies.repairs import check as check_repair
from latentlink.studies.section import Seed
from latentlink.studies.sections import SECTIONS, Data, Encoders, Point
from latentlink.studies.spec.plug_in import is_plug_in

RESULTS_VERSION = 7  # designs average over channels of their own seed

MetricName = Literal["accuracy", "mse", "cosine", "recall", "clustering", "limits", "power", "papr", "flops", "latency", "alarms"]


class Cell(Point):
    """One design measured at one point."""

    method: AnyMethod
    seed: Seed
    metrics: tuple[MetricName, ...]

    @model_validator(mode="after")
    def _knows_its_encoders(self) -> "Cell":
        named: dict[str, tuple[str, ...]] = {f"encoders.{end}": (getattr(self.encoders, end),) for end in ("transmitter", "receiver")}
        named |= {f"network.{ends}": getattr(self.network, ends) or () for ends in ("transmitters", "receivers")}
        for place, names in named.items() if self.data.encoded else ():
            for name in names:
                if not is_plug_in(name) and not is_encoder_name(name):
                    near = difflib.get_close_matches(name, [*ENCODERS, *TEXT_ENCODERS], 1)
                    hint = f" (did you mean {near[0]}?)" if near else ""
                    known = f"{', '.join((*ENCODERS, *TEXT_ENCODERS))}, timm:NAME or module:attribute"
                    raise ValueError(f"{place} must be one of {known}, got {name!r}{hint}")
        return self

    @model_validator(mode="after")
    def _is_possible(self) -> "Cell":
        path_loss = self.channel.standard and self.ofdm.normalisation == "path-loss"
        if self.channel.standard:
            standard_model(self.channel, self.ofdm)
            elements_of(self.channel, self.ofdm)
        if path_loss and self.snr.snr_reference != "transmit":
            raise ValueError("snr.snr_reference must be transmit where ofdm.normalisation is path-loss: each user has another SNR")
        if path_loss and self.csi.known != "perfect":
            raise ValueError(
                "csi.known must be perfect where ofdm.normalisation is path-loss: channel estimation assumes one mean gain for all users"
            )
        if self.csi.estimated:
            self._check_estimates()
        self._check_network()
        self.method.check(self)
        self._check_pilots()
        self._check_drift()
        return self

    def _check_pilots(self) -> None:
        """Refuse pilots from which the method cannot design."""
        method: Any = self.method
        if method.takes_estimators:
            check_estimator(method.estimator, method.answers, method.goal, self.pilots)
            if self.pilots.count == 0 and method.name == "closed-form" and method.power == "per-message":
                raise ValueError("power must not be per-message where pilots.count is 0: its decoder is fitted to pilots")
        elif self.pilots.count == 0 and getattr(method, "kind", "") not in ("own", "unaligned"):
            raise ValueError(f"pilots.count must be at least 1 for {method.title}, got 0: closed-form and admm take estimator concepts")

    def _check_network(self) -> None:
        """Refuse methods that do not serve the study's scenario, and what networks do not have."""
        network, method = self.network, self.method
        if network.scenario not in method.scenarios:
            served = " or ".join(method.scenarios)
            raise ValueError(f"network.scenario must be {served} for {getattr(method, 'name', method.title)}, got {network.scenario}")
        if not network.present:
            return
        refused = {
            "csi.known must be perfect": self.csi.known != "perfect",
            "channel.file must be left out": self.channel.file is not None,
            "channel.clipping_db must be left out": self.channel.clipping_db is not None,
            "drift must be left out": self.drift.happened,
            "pilots.unpaired must be left out": self.pilots.unpaired is not None or self.pilots.count == 0,
            "pilots.method must be random": self.pilots.method != "random",
        }
        for remedy in [words for words, wrong in refused.items() if wrong]:
            raise ValueError(f"{remedy} in a network, got scenario {network.scenario}: studies of networks do not have it")
        if more := sorted(set(self.metrics) - {"accuracy", "mse", "cosine", "power"}):
            raise ValueError(f"metrics must be of accuracy, mse, cosine and power in a network, got {', '.join(more)} too")
        if network.sees == "parts" and not self.data.pictured:
            raise ValueError(f"network.sees must be whole where data.dataset is {self.data.dataset}, which has no images, got parts")
        if not self.data.encoded and (network.transmitters or network.receivers):
            raise ValueError(f"network.transmitters and receivers must be left out where data.dataset is {self.data.dataset}: "
                             "its latents are made already")  # fmt: skip

    def _check_estimates(self) -> None:
        known = self.csi.known
        if self.csi.feedback_bits is not None and known in ("both-ends", "transmitter-only"):
            raise ValueError(f"csi.feedback_bits must be null where csi.known is {known}: what is fed back is a precoder, not a channel")
        if self.channel.file is not None:
            if self.csi.age_s > 0:
                raise ValueError(
                    "csi.delay_ms must be 0 for channels of a file, which tells nothing of their changes with time, got "
                    f"{self.csi.delay_ms:g}: leave it out, or age the channels by a model in Python, ll.csi.age_channel and "
                    "ll.csi.age_estimate (docs/csi.md)"
                )
            check_samples(self.channel.file, self.channel.axes)
        elif not self.channel.standard and self.channel.model != "rayleigh":
            raise ValueError(f"csi.known must be perfect or unaware for {self.channel.model} fading, whose statistics are not known here")
        if self.channel.standard and self.csi.pilot_spacing > self.ofdm.subcarriers:
            raise ValueError(f"csi.pilot_spacing must be at most ofdm.subcarriers, {self.ofdm.subcarriers}, got {self.csi.pilot_spacing}")

    def _check_drift(self) -> None:
        """Refuse changes of what the study does not encode, and repairs that lack something."""
        if self.drift.happened and not self.data.pictured:
            raise ValueError(
                f"drift must be left out where data.dataset is {self.data.dataset}: it changes "
                "the images of a data set or names a new encoder for them; take fashion-mnist, cifar-10 or images of your own"
            )
        name = self.drift.transmitter
        if name is not None and not (is_plug_in(name) or is_encoder_name(name)):
            raise ValueError(f"drift.transmitter must be one of {', '.join(ENCODERS)}, timm:NAME or module:attribute, got {name!r}")
        check_repair(getattr(self.method, "repair", "stale"), self.drift, getattr(self.method, "estimator", "pairs"))
        if ("alarms" in self.metrics) != (self.drift.alarm_every is not None) and self.method.family != "reference":
            raise ValueError("drift.alarm_every and the metric alarms go together: the first says how rare a false alarm is")

    @property
    def has_own_latents(self) -> bool:
        """True where its data set or an encoder is code outside of the package."""
        changes = (self.drift.kind, self.drift.transmitter or "")
        devices = (*(self.network.transmitters or ()), *(self.network.receivers or ()))
        names = (self.data.dataset, *changes, *devices, *(self.encoders.transmitter, self.encoders.receiver) * self.data.encoded)
        return any(map(is_plug_in, names))

    @cached_property
    def id(self) -> str:
        """The name of the cell's result file."""
        facts = {name: getattr(self, name).canonical(self) for name in (*SECTIONS, "method")}
        for name in ("drift", "network"):  # ids of cells do not depend on a section that they do not have
            if facts[name] is None:
                del facts[name]
        facts |= {"results_version": RESULTS_VERSION, "seed": self.seed, "metrics": sorted(set(self.metrics))}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]

    @property
    def scene(self) -> tuple[Data, Encoders, DriftAt, NetworkAt]:
        """Cells that agree in this share latents."""
        return self.data, self.encoders, self.drift.scene, self.network.scene

    @property
    def group(self) -> tuple[Data, Encoders, DriftAt, NetworkAt, PilotsAt, int]:
        """Cells that agree in this share latents, pilots, moments and modes."""
        return *self.scene, self.pilots, self.seed
