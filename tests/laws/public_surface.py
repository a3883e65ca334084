"""Every public callable with arguments that it takes, and what a stranger might hand over in their place."""

import datetime
import enum
import importlib
import inspect
import math
import re
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import polars as pl
import scipy.sparse
import torch

import latentlink as ll
import network_cases
from conformance import registry
from conformance.registry import DESIGNS, channel, codec, modes, moments, pilots, solution
from latentlink.execution import Ended, Threads
from latentlink.neural.paper.layers import ComplexLinear
from latentlink.numerics.parts import named_tensors
from laws.test_namespaces import SPACES
from oracles import normal, seeded

NOT_CALLED = {  # what is not called at all, and why
    "Transceiver": "a protocol",
    "NetworkDesign": "a protocol",
    "GridStatistics": "a protocol",
    "ChannelSource": "a protocol",
    "Objective": "a protocol",
    "ConstraintSet": "abstract",
    "CsiCase": "abstract",
    "PowerLimit": "abstract",
    "BaseTransceiver": "abstract",
    "ArtifactError": "an exception",
    "PlugInError": "an exception",
    "DatasetNotFound": "an exception",
    "SnrDefinition": "an enum",
    "Experiment": "made by open_experiment",
    "PilotKnowledge": "made by studies",
    "Study": "a model of pydantic, checked by it",
    "studies.run": "runs for minutes",
    "Executor": "a protocol",
    "Cluster": "made by connect",
    "Ended": "made by executors",
    "connect": "starts processes",
    "device_pair": "trains encoders",
    "small_digit_encoders": "trains encoders",
    "digits": "reads a data set",
    "send_over_air": "starts processes",
    "export_onnx": "trains a codec",
    "cifar10": "reads a data set",
    "fashion_mnist": "reads a data set",
    "wordnet": "reads a data set",
    "clip_art": "reads a data set",
}


_REFUSALS: dict[str, str] = {}


@dataclass(frozen=True)
class Subject:
    """A public callable with arguments that it takes, and the annotations of its parameters."""

    name: str
    function: Callable[..., Any]
    valid: dict[str, Any]
    hints: dict[str, Any]

    def outcome(self, parameter: str, value: Any) -> Any:
        """What comes of one other argument."""
        arguments = {**self.valid, parameter: value}
        positional = [arguments.pop(name) for name in self._positional_only() if name in arguments]
        return self.function(*positional, **arguments)

    def refusal(self) -> str:
        """The message of a callable that refuses even its valid arguments, such as a link that cannot be scaled; asked for once."""
        if self.name not in _REFUSALS:
            try:
                self.function(**self.valid)
                _REFUSALS[self.name] = ""
            except Exception as error:
                _REFUSALS[self.name] = str(error)
        return _REFUSALS[self.name]

    def _positional_only(self) -> list[str]:
        kinds = inspect.signature(self.function).parameters.values()
        return [each.name for each in kinds if each.kind is inspect.Parameter.POSITIONAL_ONLY]


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="latentlink-surface-"))
    np.save(made / "x.npy", pilots().x.numpy())
    np.save(made / "labels.npy", pilots().labels.numpy())
    np.save(made / "h.npy", channel().h[:, 0].numpy())
    np.save(made / "images.npy", np.zeros((4, 8, 8), np.uint8))
    solution("exact").transceiver.save(made / "link.safetensors")
    modes().save(made / "pair.safetensors")
    (made / "study.yaml").write_text("name: small\nmethods: [{name: closed-form}]\n")
    return made


@cache
def head() -> ll.SoftmaxHead:
    return ll.fit_head(pilots().y, pilots().labels)


@cache
def elements() -> ll.channels.ResourceElements:
    return ll.channels.ResourceElements.contiguous(registry.USES)


def average(values: Any) -> torch.Tensor:
    """A constant factor for each channel of the registry's batch."""
    return torch.full((3,), float(values), dtype=torch.float64)


@cache
def _measured_tasks() -> ll.metrics.Evaluation:
    """A regression and a search, measured over the exact link."""
    link, targets = solution("exact").transceiver, pilots().x[:, :2]
    head, y = ll.nn.RegressionHead.fit(pilots().y, targets), pilots().y
    return ll.evaluate(link, pilots().x, y, channel=channel(), head=head, targets=targets, gallery=y, generator=0)


@cache
def concepts(end: str) -> ll.alignment.Concepts:
    """Class means of one end."""
    return ll.alignment.Concepts.from_labels(getattr(pilots(), end), pilots().labels)


@cache
def watch() -> ll.living.Watch:
    """A watch over the exact link, from few messages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ll.living.Watch.calibrated(head(), pilots().y, false_alarms=0.05)


@cache
def instances() -> dict[str, Any]:
    """An object of every public class, by the name of the class."""
    link, decided = solution("exact").transceiver, head()(pilots().y).argmax(-1)
    images = ll.data.ImageSet("pictures", torch.zeros(4, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64), ("cat",))
    titles = ll.data.TextSet("titles", ("a cat",) * 4, images.labels, images.classes)
    estimator = ll.csi.lmmse_estimator(ll.csi.ScatteringStatistics(rms_delay_spread_s=1e-7), elements(), elements(), pilot_noise=0.1)
    bank = ll.rayleigh(2, 2, batch=(50, registry.USES), generator=0)
    made = [
        *(
            solution(name).transceiver
            for name in ("exact", "top-k", "decision", "gated", "digital", "digital, by a genie", "lifted", "mixture")
        ),
        *(
            DESIGNS[name].method()
            for name in ("exact", "admm", "first-k", "eigen-k", "disjoint", "decision", "digital", "lifted", "mixture")
        ),
        registry.gated(),
        registry.lifted(),
        registry.mixture(),
        ll.bounds.Handshake.of_numbers(20, 4, channel()),
        ll.bounds.pilot_price(ll.Moments.from_pairs(pilots().x, pilots().y, 4), channel()),
        ll.living.AgreementTest.of(25, 0.8),
        ll.living.remember(moments(), pilots().x[:30], pilots().y[:30]),
        ll.living.RunningModes.of(moments(), ll.Goal(torch.eye(2, registry.M))),
        watch(),
        ll.baselines.TopK(k=3, align="before", draws=16),
        ll.Neural(hidden_tx=3, hidden_rx=3, epochs=1, batch_size=64, precision="float32"),
        ll.CodecTraining(
            modes=5,
            width=8,
            layers=1,
            max_symbols=4,
            rounds=1,
            steps=1,
            channels=2,
            messages=16,
            bank=(8, 8, 8),
            draws=ll.channels.ChannelDraws(antennas=(2,), uses=(2,)),
        ),
        solution("exact"),
        channel(),
        moments(),
        modes(),
        pilots(),
        head(),
        codec(),
        registry.code(),
        ll.Status.OPTIMAL,
        ll.Goal.fisher(head(), pilots().y),
        ll.ActiveAntennas(1),
        ll.SparsePrecoder(moments(), 9),
        ll.ConstantModulus(moments()),
        ll.HardThreshold(3.0),
        ll.SoftThreshold(2.0),
        ll.PilotSelection(3),
        ll.Augmentation(),
        ll.power.Mean(),
        ll.power.PerUse(max_iterations=5),
        ll.power.PerMessage(x=pilots().x, y=pilots().y),
        ll.power.PerAntenna(),
        ll.power.Leakage(channel().h, 0.1),
        ll.power.Equal(),
        ll.power.OneUseAtATime(),
        ll.csi.BothEnds(),
        ll.csi.Perfect(),
        ll.csi.ReceiverOnly(),
        ll.csi.Transmitter(draws=4),
        ll.csi.TransmitterOnly(draws=2),
        ll.csi.Unaware(),
        ll.csi.ScatteringStatistics(rms_delay_spread_s=1e-7),
        ll.csi.SampledStatistics.of(bank, elements()),
        estimator,
        ll.budget.Weights(0.5),
        ll.budget.Flops(1e5),
        ll.budget.Latency(5.0),
        ll.channels.ChannelDraws(antennas=(2,), uses=(2,)),
        elements(),
        ll.tr38901.Model("TDL-A"),
        ll.tr38901.Panel(),
        ll.tr38901.StandardDraws(model=ll.tr38901.Model("TDL-A"), antennas=(2,), uses=(2,)),
        ll.bounds.AccuracyBound.of(decided, pilots().labels),
        ll.baselines.LeastSquares(),
        ll.baselines.Procrustes(),
        ll.baselines.LeastSquares().fit(moments()),
        ll.baselines.SvdEqualiser(),
        ll.baselines.ZeroForcing(),
        ll.baselines.MmseEqualiser(),
        ll.digital.AtReceiver(),
        ll.digital.AtTransmitter(),
        ll.digital.BlockError(),
        ll.digital.Genie(),
        ll.metrics.accuracy(head(), pilots().y, pilots().labels),
        ll.metrics.Amplifier.above_mean(channel(), 3.0),
        ll.evaluate(link, pilots().x, pilots().y, channel=channel(), head=head(), labels=pilots().labels, generator=0),
        _measured_tasks().regression,
        _measured_tasks().retrieval,
        ll.metrics.clustering(pilots().y, pilots().y, clusters=3),
        ll.metrics.MeasuredLatency(1.0, 2.0),
        link.flops,
        ll.metrics.peaks(link, pilots().x),
        ll.metrics.Rate.of(3, 9),
        ll.objectives.Cosine(),
        ll.objectives.HeadDivergence(head()),
        ll.objectives.Regression(),
        ll.objectives.Retrieval(),
        ll.data.DevicePair(pilots(), pilots(), "left", "right", "clouds"),
        ll.data.from_callable("flat", lambda images: images.flatten(1).float(), 64, "1"),
        images,
        titles,
        ll.data.TitledImages(images, titles),
        ll.data.Marginal.from_latents(pilots().x),
        concepts("x"),
        ll.alignment.FewPairs(),
        ll.alignment.Spread(pilots().x),
        ll.alignment.DecisionPilots(pilots().x[:30], pilots().labels[:30]),
        ll.alignment.WhitenedProcrustes(),
        ll.alignment.ParsevalFrame(),
        ll.alignment.RelativeRepresentation(),
        ll.deploy.AirSetting(),
        ll.deploy.Arrival(0.1, 0.9),
        ll.deploy.Reception(np.zeros((2, 3)), np.arange(2), 0, [{"seconds": 0.0, "messages": 2.0}], 1, {}),
        ll.nn.RegressionHead.fit(pilots().y, pilots().x[:, :2]),
        ll.nn.ChannelLayer(channel()),
        Threads(2),
        Ended(0, 1.0),
        *network_objects(),
        ll.nn.Decoder(link),
        ll.nn.Precoder(link),
    ]
    return {type(each).__name__: each for each in made}


def network_objects() -> list[Any]:
    """An object of every public class of networks."""
    solution, surface = network_cases.solution("broadcast"), network_cases.surface()
    return [
        surface,
        ll.surfaces.StackedSurface([surface.incident, surface.reflected]),
        ll.surfaces.SurfaceDesign(starts=1, steps=2),
        ll.surfaces.SurfaceDesign(starts=1, steps=2).design(modes(), surface, 10.0),
        network_cases.moments("broadcast"),
        network_cases.modes("broadcast"),
        network_cases.links("broadcast"),
        solution,
        solution.transmitters[0],
        solution.receivers[0],
        ll.networks.Broadcast(starts=2, steps=2, polish=2),
        ll.networks.BlockDiagonal(),
        ll.networks.FederatedAdmm(rounds=2),
        ll.networks.ReusedDesign(),
        ll.networks.Slnr(),
        ll.networks.TimeDivision(overheard=True),
        ll.networks.MultipleAccess(starts=1, steps=2, polish=2),
        ll.networks.Cooperative(starts=1, steps=2, polish=2),
        ll.networks.SemanticGame(rounds=2),
        ll.networks.SharedSurface(by=ll.networks.Broadcast(starts=1, steps=2, polish=0), starts=1, steps=2),
        ll.networks.SharedSurface(by=ll.networks.Broadcast(starts=1, steps=2, polish=0), starts=1, steps=0).design(
            network_cases.modes("broadcast", 1), [[surface]], 10.0
        ),
        ll.networks.Fair(by=ll.networks.Broadcast(starts=1, steps=2, polish=0), rounds=2),
        ll.networks.UserCodecs(network_cases.codecs(), by=ll.networks.Slnr(), rounds=1),
        network_cases.shared(),
        network_cases.shared().users[0],
        ll.networks.CommonCodec(network_cases.codecs()[0], network_cases.common_pairs()),
    ]


@cache
def by_name() -> dict[str, Callable[[], Any]]:
    """Arguments by the name of their parameter, wherever a callable has none of its own in `OWN`."""
    link, e = solution("exact").transceiver, elements()
    symbols = link.encode(pilots().x[:5])
    cases = {
        "x": pilots().x,
        "y": pilots().y,
        "y_hat": pilots().y,
        "labels": pilots().labels,
        "head": head(),
        "pilots": pilots(),
        "moments": moments(),
        "modes": modes(),
        "channel": channel(),
        "known": channel(),
        "truth": channel(),
        "transceiver": link,
        "solution": solution("exact"),
        "h": channel().h,
        "grid": channel().h,
        "s": symbols,
        "r": symbols,
        "change": torch.clone,
        "target": torch.float64,
        "factor": average(0.5),
        "limit": ll.power.Mean(),
        "strength": modes().strength,
        "n_tx": 2,
        "n_rx": 2,
        "power": average(1.0),
        "energy": normal(1, 3, 5).square(),
        "budget": torch.ones(3, 1, dtype=torch.float64),
        "F": link.encode(pilots().x[:4]).transpose(-3, -2).transpose(-2, -1),
        "snr_db": 10.0,
        "error_variance": 0.1,
        "bits": 6,
        "generator": 0,
        "count": 4,
        "uses": 2,
        "elements": e,
        "rows": e,
        "columns": e,
        "statistics": ll.csi.ScatteringStatistics(rms_delay_spread_s=1e-7),
        "message": e,
        "pilot_noise": 0.1,
        "delay_s": 1e-3,
        "speed_mps": 1.0,
        "carrier_hz": 1e9,
        "antennas": 3,
        "coefficient": 0.5,
        "corr_rx": torch.eye(2),
        "corr_tx": torch.eye(2),
        "k_factor": 1.0,
        "bandwidth_hz": 1e6,
        "power_dbm": 20.0,
        "error": 0.1,
        "source": ll.channels.SnrDefinition.TOTAL_POWER,
        "bank": ll.rayleigh(2, 2, batch=(50, registry.USES), generator=0),
        "at_pilots": channel().h,
        "limit_db": 3.0,
        "hits": 3,
        "share": 0.5,
        "transmitter": "left",
        "receiver": "right",
        "k": 3,
        "code": registry.code(),
        "objective": ll.objectives.Regression(),
        "learning_rate": 0.01,
        "epoch": 1,
        "epochs": 3,
        "threshold": 0.1,
        "dim": 4,
        "version": "1",
        "name": "flat",
        "word": "mean",
        "parts": [moments(), moments()],
        "variance": torch.ones(4, dtype=torch.float64),
        "synthesis": modes().synthesis,
        "mean_y": modes().mean_y,
        "device": "cpu",
        "messages": 4,
        "send": lambda s: channel().apply(s, 0),
        "spacing": 2,
        "slots": 1,
        "subcarriers": 12,
        "symbols": 2,
        "subcarrier_spacing_hz": 30e3,
        "point": None,
        "images": instances()["ImageSet"],
        "indices": [0, 1],
        "decisions": head()(pilots().y).argmax(-1),
        "coordinates": registry.code().coordinates,
        "wanted": registry.code().wanted,
        "ceiling": average(1.0),
        "covariance": link.channel.h.new_zeros(len(modes()), len(modes()), dtype=torch.float64),
        "coefficients": torch.eye(registry.D, dtype=torch.float64)[:2],
        "path": folder() / "x.npy",
        "tx": folder() / "x.npy",
        "rx": folder() / "x.npy",
        "payload": 8,
        "each": 1,
        "c": registry.code().held,
        "available": 4,
        "encoder": instances()["Encoder"],
        "values": pilots().x,
        "gate": codec().gate,
        "study": folder() / "study.yaml",
        "in_features": 4,
        "out_features": 3,
        "other": moments(),
        "message_": "",
        "index": 0,
        "function": lambda images: images,
        "weight": torch.eye(registry.M),
        "model": "TDL-A",
        "q": 1,
        "aligned": instances()["Alignment"],
        "learnt": registry.code().learnt,
        "held": registry.code().held,
        "z": modes().coefficients(pilots().x[:5]),
        "text": "",
        "ended": iter([Ended(0, 1.0)]),
        "names": None,
        "classes": None,
        "targets": pilots().x[:, :2],
        "memory": 50,
        "shift": 1.0,
    }
    return {name: (lambda value=value: value) for name, value in cases.items()}


OWN: dict[str, dict[str, Callable[[], Any]]] = {
    "MixtureTransceiver.of": {"decoder": registry.mixture, "link": lambda: solution("exact").transceiver},
    "Leakage": {"h": lambda: channel().h, "cap": lambda: average(0.1)},
    "Leakage.correlation": {"channel": channel},
    "Channel.from_snr": {"h": lambda: channel().h[:, 0]},
    "read_channels": {"path": lambda: folder() / "h.npy"},
    "read_labels": {"path": lambda: folder() / "labels.npy"},
    "read_images": {"path": lambda: folder() / "images.npy"},
    "read_study": {"path": lambda: folder() / "study.yaml"},
    "load": {"path": lambda: folder() / "link.safetensors"},
    "save": {"path": lambda: folder() / "saved.safetensors"},
    "run": {"output": folder},
    "results": {"output": folder},
    "report": {"output": folder},
    "open_experiment": {"output": folder},
    "write_array": {"path": lambda: folder() / "written.npy"},
    "make_study": {"content": lambda: {"name": "small", "methods": [{"name": "closed-form"}]}},
    "summarise": {"rows": lambda: pl.DataFrame({"a": [1]})},
    "csi.named": {"word": lambda: "perfect"},
    "convert_snr": {"target": lambda: ll.channels.SnrDefinition.PER_TRANSMIT_ANTENNA, "gain": lambda: 1.0},
    "age_channel": {"h": lambda: channel().h[:, 0]},
    "accuracy": {"bits": lambda: average(2.0)},
    "encoder": {"name": lambda: "digits-small"},
    "encode": {"images": lambda: instances()["ImageSet"], "folder": lambda: folder() / "cache"},
    "AccuracyBound.at": {"bits": lambda: average(2.0)},
    "LatentCode.decode": {"bits": lambda: registry.code().held_payloads(8)},
    "choose_goal": {"streams": lambda: (2,), "snr_db": lambda: (10.0,), "channels": lambda: 1, "folds": lambda: 2, "goals": dict},
    "per_antenna": {"channel": lambda: channel((1,))},
    "look": {"permutations": lambda: 5},
    "latency": {"repeats": lambda: 1},
    "Encoder.__call__": {"images": lambda: instances()["ImageSet"].images},
    "SemanticModes.transceiver": {
        "streams": lambda: solution("exact").transceiver.streams,
        "precoder": lambda: solution("exact").transceiver.precoder,
    },
    "Status.of": {"code": lambda: solution("exact").status[0]},
    "Status.where": {"sent": lambda: torch.tensor([True, False])},
    "Status": {"name": lambda: "of this test", "message": lambda: "made to see what is refused"},
    "Amplifier.__call__": {"s": lambda: solution("exact").transceiver.encode(pilots().x[:5])},
    "HardThreshold.prox": {"layer": lambda: ComplexLinear(3, 2)},
    "SoftThreshold.prox": {"layer": lambda: ComplexLinear(3, 2)},
    "HardThreshold.after_epoch": {"layers": lambda: [ComplexLinear(3, 2)]},
    "SoftThreshold.after_epoch": {"layers": lambda: [ComplexLinear(3, 2)]},
    "ResourceElements.comb": {"symbols": lambda: (2, 3)},
    "PerAntenna.limits_of": {"n_tx": lambda: 2},
    "OperationCount.of": {"table": list},
    "Moments.training_folds": {},
    "PilotSelection.indices": {"labels": lambda: pilots().labels},
    "remember": {"past": moments, "x": lambda: pilots().x[:30], "y": lambda: pilots().y[:30]},
    "pilot_price": {"moments": lambda: ll.Moments.from_pairs(pilots().x, pilots().y, 4), "splits": lambda: 1},
    "Watch.calibrated": {"false_alarms": lambda: 0.05},
    "AgreementTest.of": {"pilots": lambda: 25, "accuracy": lambda: 0.8},
    "AgreementTest.alarms_at": {"accuracy": lambda: 0.5},
    "Handshake.of_numbers": {"pilots": lambda: 20, "numbers": lambda: 4},
    "Handshake.of_decisions": {"pilots": lambda: 20, "classes": lambda: 4},
    "Handshake.pays_after": {"gain": lambda: 0.1},
    "RunningModes.of": {"goal": lambda: ll.Goal(torch.eye(2, registry.M))},
    "SemanticModes.re_encoded": {"old": lambda: pilots().x, "new": lambda: pilots().x},
    "held_out": {"moments": lambda: ll.Moments.from_pairs(pilots().x, pilots().y, 3)},
    "Neural.design": {"channel": lambda: channel((1,))},
    "Neural.estimated_seconds": {"channel": lambda: channel((1,))},
    "Neural.untrained": {"channel": lambda: channel((1,))},
    "least_squares_estimator": {"pilots": elements},
    "lmmse_estimator": {"pilots": elements},
    "opta": {"modes": lambda: ll.semantic_modes(moments(), shrinkage=0.0)},
    "separation": {"modes": lambda: ll.semantic_modes(moments(), shrinkage=0.0)},
    "DigitalTransceiver.lost": {"x": lambda: pilots().x[:5]},
    "GenieTransceiver.lost": {"x": lambda: pilots().x[:5]},
    "StandardDraws.draw": {"count": lambda: 1},
    "Moments.from_pairs": {"folds": lambda: 2},
    "Reception.mean": {"column": lambda: "messages"},
    "measure_arrival": {"values": lambda: pilots().y, "rows": lambda: torch.arange(registry.N)},
    "simulate_over_air": {
        "design": modes,
        "setting": lambda: ll.deploy.AirSetting(2, 2),
        "noise_variance": lambda: 0.1,
    },
    "Concepts.shared_with": {"receiver": lambda: concepts("y")},
    "fit": {"tx": lambda: concepts("x"), "rx": lambda: concepts("y")},
    "DecisionPilots.pairs": {"rx": lambda: concepts("y")},
    "pseudo_pairs": {"rx": lambda: concepts("y"), "classes": moments, "filled": moments, "names": lambda: None},
    "DecisionPilots": {"x": lambda: pilots().x[:30], "decisions": lambda: pilots().labels[:30], "names": lambda: None},
    "Concepts.named": {"names": lambda: ("a", "b", "c", "d")},
    "export_device": {"source": lambda: folder() / "pair.safetensors", "path": lambda: folder() / "device.safetensors"},
    "Moments.from_aligner": {
        "A": lambda: 0.1 * torch.eye(registry.M, registry.D, dtype=torch.float64),
        "tx": lambda: ll.data.Marginal.from_latents(pilots().x),
        "rx": lambda: ll.data.Marginal.from_latents(pilots().y),
    },
    "Moments.from_concepts": {
        "tx": lambda: concepts("x"),
        "rx": lambda: concepts("y"),
    },
    "Pilots.__getitem__": {"rows": lambda: [0, 1, 2]},
    "Gated": {"designs": lambda: registry.gated().designs, "serves": lambda: registry.gated().serves},
    "Gated.choose": {
        "designs": lambda: registry.gated().designs,
        "held": lambda: pilots()[:20],
        "draws": lambda: ll.channels.ChannelDraws(antennas=(2,), uses=(2,)),
        "channels": lambda: 2,
    },
    "NetworkModes.pair": {"user": lambda: 0},
    "NetworkModes.sources_of": {"user": lambda: 0},
    "NetworkMoments.from_pilots": {"x": lambda: [pilots().x], "y": lambda: [pilots().y]},
    "NetworkMoments.of_source": {"i": lambda: 0},
    "NetworkMoments.of_user": {"k": lambda: 0},
    "network_modes": {"moments": lambda: network_cases.moments("broadcast"), "goals": lambda: None},
    "power_game_contraction": {"links": lambda: network_cases.links("interference", n_rx=1, n_tx=1)},
    "Links": {"h": lambda: [[channel().h]]},
    "Links.from_snr": {"h": lambda: [[channel().h]]},
    "Links.apply": {"s": lambda: [torch.ones(4, 1, 2, dtype=torch.complex128)]},
    "Links.channel": {"receiver": lambda: 0, "transmitter": lambda: 0},
    "Links.own": {"k": lambda: 0},
    "Surface.pulled_back": {"phases": lambda: torch.zeros(5, dtype=torch.float64), "slope": lambda: network_cases.surface().direct},
    "StackedSurface.pulled_back": {"phases": lambda: torch.zeros(5, dtype=torch.float64), "slope": lambda: network_cases.surface().direct},
    **{
        f"{name}.{call}": {"phases": lambda: torch.zeros(5)}
        for name in ("Surface", "StackedSurface")
        for call in ("matrix", "channel", "gain_bound")
    },
    "SharedSurface.design": {"modes": lambda: network_cases.modes("broadcast", 1), "surfaces": lambda: [[network_cases.surface()]]},
    "SurfaceDesign.design": {"surface": lambda: network_cases.surface()},
    "StackedSurface": {"layers": lambda: [network_cases.surface().incident, network_cases.surface().reflected]},
    "NetworkSolution.user": {"k": lambda: 0},
    **{
        f"{name}.design": {
            "modes": lambda: network_cases.modes("broadcast"),
            "links": lambda: network_cases.links("broadcast", uses=3, n_tx=6),
        }
        for name in ("Broadcast", "BlockDiagonal", "FederatedAdmm", "ReusedDesign", "Slnr", "TimeDivision", "Fair", "MultipleAccess")
    },
    **{
        f"{name}.design": {
            "modes": lambda: network_cases.modes("interference"),
            "links": lambda: network_cases.links("interference"),
        }
        for name in ("SemanticGame", "Cooperative")
    },
    "NetworkSolution.matched_to": {"links": lambda: network_cases.links("broadcast")},
    "NetworkReceiver.decode": {"r": lambda: network_cases.received()},
    "UserCodecs": {"codecs": lambda: network_cases.codecs(), "by": lambda: ll.networks.Slnr()},
    "UserCodecs.design": {"modes": lambda: network_cases.modes("private"), "links": lambda: network_cases.links("private")},
    "CommonCodec": {"codec": lambda: network_cases.codecs("broadcast")[0], "pairs": lambda: network_cases.common_pairs()},
    "CommonCodec.design": {"links": lambda: network_cases.links("broadcast")},
    "UserCodecsSolution.user": {"k": lambda: 0},
    "tr38901.generate": {"n_rx": lambda: 1, "n_tx": lambda: 1},
}
RESULTS = {  # what designs and measurements return, made by hand at one's own risk
    "LinearTransceiver",
    "TopKTransceiver",
    "DecisionTransceiver",
    "GatedTransceiver",
    "Handshake",
    "PilotPrice",
    "AgreementTest",
    "Memory",
    "RunningModes",
    "Watch",
    "DigitalTransceiver",
    "GenieTransceiver",
    "Codec",
    "Solution",
    "Evaluation",
    "Alignment",
    "SemanticModes",
    "NetworkModes",
    "SurfaceSolution",
    "SharedPhases",
    "NetworkMoments",
    "NetworkSolution",
    "NetworkTransmitter",
    "NetworkReceiver",
    "UserCodecsSolution",
    "UserCodecLink",
    "Moments",
    "Marginal",
    "RegressionFigures",
    "RetrievalFigures",
    "ClusteringFigures",
    "Accuracy",
    "Rate",
    "Peaks",
    "MeasuredLatency",
    "AccuracyBound",
    "ChannelEstimator",
    "LatentCode",
    "SampledStatistics",
    "ImageSet",
}
LEFT_OUT = {  # parts of designs that only designs call, with arguments that only they make
    "improved",
    "project",
    "allocate",
    "limits_of",
    "refine",
    "warm_start",
    "lower_bound",
    "start",
    "link",
    "sent",
    "number_sent",
    "carry",
    "after_epoch",
    "untrained_loop",
    "with_ceiling",
    "to_tensors",
    "from_tensors",
    "parts_from",
    "parts_of",
    "of_parts",
    "symbols",
    "coefficients",
    "members",
    "flat",
    "per_channel",
    "weighted",
    "search_operations",
    "remaining",
    "held_payloads",
    "identity",
    "response",
    "expected_power",
    "settled",
    "prox",
    "message_gain",
    "components",
    "expected_mse",
    "canonical",
    "shared",
    "alignment",
    "rows",
    "run",
    "solve",
    "transceiver",
    "wanted",
}


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:

    called = function.__init__ if isinstance(function, type) else function
    return get_type_hints(called, include_extras=True)


def arguments_of(name: str, function: Callable[..., Any], whole: Any = None) -> dict[str, Any] | None:
    """Arguments that a callable takes: its own, those of an object's fields, or those by name; None where one is missing."""
    valid, own = {}, OWN.get(name) or OWN.get(name.rpartition(".")[2], {})  # with or without its namespace, methods by their last name
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.name in own:
            valid[parameter.name] = own[parameter.name]()
        elif whole is not None and hasattr(whole, parameter.name):
            valid[parameter.name] = getattr(whole, parameter.name)
        elif parameter.default is inspect.Parameter.empty:
            if parameter.name not in by_name():
                return None
            valid[parameter.name] = by_name()[parameter.name]()
    return valid


def public() -> Iterator[tuple[str, Any]]:
    """Every public function and class, once, by its name with its namespace."""
    seen: set[int] = set()
    for space in (None, *SPACES):
        module = ll if space is None else importlib.import_module(f"latentlink.{space}")
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing) and not inspect.ismodule(thing) and id(thing) not in seen:
                seen.add(id(thing))
                yield (name if space is None else f"{space}.{name}"), thing


def methods_of(cls: type) -> Iterator[str]:
    """The public methods of a class that the package defines."""
    for name in dir(cls):
        if not name.startswith("_") or name in ("__call__", "__getitem__"):
            member = inspect.getattr_static(cls, name)
            function = getattr(member, "__func__", member)
            if inspect.isfunction(function) and (function.__module__ or "").startswith("latentlink"):
                yield name


@cache
def subjects() -> tuple[dict[str, Subject], list[str]]:
    """Every public callable with its arguments, and the names of those for which an argument is missing."""
    found: dict[str, Subject] = {}
    missing: list[str] = []

    def add(name: str, function: Callable[..., Any], whole: Any = None) -> None:
        valid = arguments_of(name, function, whole)
        if valid is None:
            missing.append(name)
        else:
            found[name] = Subject(name, function, valid, hints_of(function))

    for full, thing in public():
        short = full.rpartition(".")[2]
        if short in NOT_CALLED or full in NOT_CALLED or (isinstance(thing, type) and issubclass(thing, Exception | enum.Enum)):
            continue
        if not isinstance(thing, type):
            add(full, thing)
            continue
        if short not in instances():
            missing.append(full)
            continue
        whole = instances()[short]
        add(full, thing, whole if is_dataclass(thing) else None)
        for method in methods_of(thing):
            if method not in LEFT_OUT:
                bound = getattr(whole, method)
                add(f"{full}.{method}" if full.rpartition(".")[0] == "" else f"{short}.{method}", bound)
    return found, missing


class Nothing:
    """An object of another kind."""


def bad_values() -> dict[str, Callable[[], Any]]:
    """What is given in place of an argument, each made anew."""
    x = normal(7, 6, 4)
    values: dict[str, Callable[[], Any]] = {
        "None": lambda: None,
        "text": lambda: "text",
        "empty text": lambda: "",
        "bytes": lambda: b"x",
        "NUL": lambda: "a\0b",
        "nan": lambda: math.nan,
        "inf": lambda: math.inf,
        "-inf": lambda: -math.inf,
        "-1": lambda: -1,
        "0": lambda: 0,
        "1.5": lambda: 1.5,
        "-0.5": lambda: -0.5,
        "2**63": lambda: 2**63,
        "-2**63": lambda: -(2**63),
        "10**400": lambda: 10**400,
        "1e30": lambda: 1e30,
        "1e308": lambda: 1e308,
        "5e-324": lambda: 5e-324,
        "1j": lambda: 1j,
        "True": lambda: True,
        "False": lambda: False,
        "object": Nothing,
        "class": lambda: Nothing,
        "function": lambda: lambda *_: None,
        "{}": dict,
        "{1: 2}": lambda: {1: 2},
        "[]": list,
        "()": tuple,
        "ragged": lambda: [[1.0], [1.0, 2.0]],
        "words": lambda: ["a", "b"],
        "[None]": lambda: [None],
        "set": lambda: {1},
        "empty tensor": lambda: torch.empty(0),
        "no rows": lambda: torch.empty(0, 4),
        "scalar tensor": lambda: torch.tensor(0.5),
        "nan tensor": lambda: x * math.nan,
        "inf tensor": lambda: x / 0,
        "complex tensor": lambda: x.to(torch.complex128),
        "real tensor": lambda: x,
        "half": lambda: x.half(),
        "bool tensor": lambda: x > 0,
        "vector": lambda: x[0],
        "one more axis": lambda: x[None, None, None, None],
        "nan vector": lambda: x[0] * math.nan,
        "sparse tensor": lambda: x.to_sparse(),
        "csr tensor": lambda: _quiet(lambda: x.to_sparse_csr()),
        "meta tensor": lambda: x.to("meta"),
        "nested tensor": lambda: _quiet(lambda: torch.nested.nested_tensor(list(x))),
        "jagged tensor": lambda: _quiet(lambda: torch.nested.nested_tensor(list(x), layout=torch.jagged)),
        "complex nan": lambda: torch.full((3, 2, 2, 2), complex(math.nan, 0), dtype=torch.complex128),
        "gradient": lambda: x.clone().requires_grad_(),
        "quantised": lambda: _quiet(lambda: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8)),
        "masked": lambda: np.ma.masked_array(x.numpy(), mask=x.numpy() > 0),
        "scipy sparse": lambda: scipy.sparse.csr_matrix(x.numpy()),
        "longdouble": lambda: x.numpy().astype(np.longdouble),
        "big-endian": lambda: x.numpy().astype(">f8"),
        "objects": lambda: x.numpy().astype(object),
        "words array": lambda: np.array(["a", "b"]),
        "dates": lambda: np.array(["2020-01-01"], "M8[D]"),
        "structured": lambda: np.zeros(3, [("a", "f8")]),
        "date": lambda: datetime.date(2020, 1, 1),
        "frame": lambda: pl.DataFrame({"a": [1.0]}),
        "generator": lambda: seeded(0),
        "np.nan": lambda: np.float32("nan"),
        "np.int64": lambda: np.int64(-3),
        "ellipsis": lambda: ...,
        "folder": folder,
        "recursive": _recursive,
        "many": lambda: [1.0] * 100_000,
        "2**63 batch": lambda: (2**62, 2**62),
    }
    return values


def _quiet(make: Callable[[], Any]) -> Any:

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def _recursive() -> list[Any]:
    whole: list[Any] = []
    whole.append(whole)
    return whole


ALIASES = {  # names under which messages of readers, studies and registers know an argument
    "path": ("folder", "file"),
    "tx": ("path", "file"),
    "rx": ("path", "file"),
    "labels": ("path", "file"),
    "content": ("study", "name"),
    "study": ("name", "YAML"),
    "overrides": ("override",),
    "word": ("power", "csi"),
    "weights": ("share",),
    "send": ("r",),
    "output": ("run the study first",),
    "size": ("encoder",),
    "symbol": ("symbols",),
    "subcarrier": ("subcarriers",),
}
PLAIN = {int: (int, np.integer), float: (int, float, np.integer, np.floating), bool: (bool, np.bool_), str: (str,)}


def cannot_be(value: Any, hint: Any) -> bool:
    """True where a value is of no kind that a plain annotation allows; arrays and shapes are judged by what comes of them."""

    if get_origin(hint) in (Union, types.UnionType):
        return all(cannot_be(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return not isinstance(value, str) or value not in get_args(hint)
    if hint is type(None):
        return value is not None
    if hint in PLAIN:
        wrong = not isinstance(value, PLAIN[hint]) or (hint is not bool and isinstance(value, bool))
        wrong = wrong and not (hint in (int, float) and isinstance(value, torch.Tensor) and value.numel() == 1)
        return wrong or (hint is float and isinstance(value, float | np.floating) and math.isnan(value))
    ours = isinstance(hint, type) and (hint.__module__.startswith("latentlink") or hint is torch.nn.Module)
    return ours and not getattr(hint, "_is_protocol", False) and not isinstance(value, hint)


def has_nan(whole: Any) -> bool:

    if isinstance(whole, float):
        return math.isnan(whole)
    return any(bool(t.isnan().any()) for t in named_tensors(whole).values() if t.is_floating_point() or t.is_complex())


def verdict(subject: Subject, parameter: str, label: str) -> str:
    """What is wrong with what comes of a bad argument, or an empty word."""

    value = bad_values()[label]()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = subject.outcome(parameter, value)
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        files = value if isinstance(value, list) else [value]
        if str(error) == subject.refusal() or any(isinstance(file, str | Path) and str(file) in str(error) for file in files):
            return ""
        names = (*subject.hints, *ALIASES.get(parameter, ()))  # that of another where the two do not fit
        if any(re.search(rf"(?<![a-zA-Z]){re.escape(name)}(?![a-zA-Z])", str(error)) for name in names):
            return ""
        return f"unnamed {type(error).__name__}: {str(error)[:150]}"
    except IndexError as error:
        return "" if "must be" in str(error) else f"unnamed IndexError: {str(error)[:150]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:150]}"
    if cannot_be(value, subject.hints.get(parameter, Any)):
        return "accepted"
    settled = isinstance(subject.function, type) and subject.function.__name__ in RESULTS
    return "NaN in silence" if "nan" in label and not settled and has_nan(outcome) else ""
