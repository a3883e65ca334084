"""From a cell of a network to its rows: design all devices, send every user its test latents, and measure what each makes of them.

All devices are simulated together: what a user hears of others is what they are sent. A row is one network of the batch; its accuracy and
errors are means over users, and lists have those of each.
"""

import time
from typing import Any

import torch
from torch import Tensor

from latentlink.evaluation.evaluate import evaluate
from latentlink.links.status import Status
from latentlink.studies.methods.method import Run
from latentlink.studies.methods.network_situation import Served
from latentlink.studies.running.network_links import draw_network
from latentlink.studies.seeding import Draw
from latentlink.studies.shared import ScenarioData
from latentlink.studies.spec.cell import Cell


def measure_network(cell: Cell, scenario: ScenarioData, run: Run) -> dict[str, Any]:
    """The columns of a cell's results on its networks."""
    known, there = scenario.network_known(cell.pilots, cell.seed), draw_network(cell, run.device)
    begun = time.perf_counter()
    served = cell.method.serve(known, there, run)
    seconds = (time.perf_counter() - begun) / cell.channel.draws
    users = [_measure_user(cell, scenario, served, k) for k in range(len(served.users))]
    names = [name for name, value in users[0].items() if all(name in each for each in users)]
    each = {name: torch.stack([user[name] for user in users], -1) for name in names}
    excess = served.errors - served.rest
    return {
        **_describe(cell, scenario),
        "noise_variance": served.users[0].channel.noise_variance,
        **{name: values.mean(-1) for name, values in each.items()},
        **{f"user_{name}": each[name] for name in ("accuracy", "nmse") if name in each},
        **({"worst_accuracy": each["accuracy"].amin(-1)} if "accuracy" in each else {}),
        "user_error": excess,
        "worst_error": excess.amax(-1),
        "objective": excess.sum(-1),
        "objective_bound": torch.where(served.bound.isfinite(), served.bound - served.rest.sum(), torch.nan),
        "status": [Status.of(code).name for code in served.status.expand(cell.channel.draws).tolist()],
        "gap": served.trace.get("gap"),
        "iterations": cell.method.iterations,
        "design_s": seconds,
    }  # fmt: skip


def _measure_user(cell: Cell, scenario: ScenarioData, served: Served, k: int) -> dict[str, Tensor]:
    """The figures (…) of one user over all networks; power is that of a transmitter in the mean."""
    data, link = scenario.network, served.users[k]
    assert data is not None
    channel, wanted = link.channel, data.wanted(k)
    noise = Draw.NOISE.generator(cell.seed, *([k] if k else []), device=channel.h.device)
    task: dict[str, Any] = {"head": data.heads[k], "labels": wanted.labels, "targets": wanted.targets}
    x = data.sent(served.heard[k])
    seen = evaluate(link.to(torch.float32), x, wanted.y, channel=channel, generator=noise, **task)
    stations = len(served.heard[k]) if cell.network.stations > 1 else 1
    figures = seen.figures()
    return figures | {"power": figures["power"] / stations}


def _describe(cell: Cell, scenario: ScenarioData) -> dict[str, Any]:
    """Columns of a result row on its devices and channels."""
    at, data = cell.channel, scenario.network
    assert data is not None
    n_rx, n_tx = at.shape
    d = data.sources[0][0].shape[1]
    return {
        "transmitter": ", ".join(dict.fromkeys(cell.network.transmitters or data.names[0])),  # named, whatever the number of users
        "receiver": ", ".join(dict.fromkeys(cell.network.receivers or data.names[1])),
        "d": d,
        "m": data.users[0][0].y.shape[1],
        "compression": at.uses * n_tx / -(-d // 2),
        "channel_model": str(at.model),
        "n_tx": n_tx,
        "n_rx": n_rx,
        **at.model_dump(include={"gain", "uses"}),
        "k_factor": at.k_factor if at.model == "rician" else None,
        "correlation": at.correlation if at.model == "kronecker" else None,
        **(cell.ofdm.model_dump(exclude=cell.ofdm.ignored(at)) if at.standard else {}),
        "knowledge": "aware",
        "csi": "perfect",
        **cell.snr.model_dump(),
        **cell.network.columns,
    }
