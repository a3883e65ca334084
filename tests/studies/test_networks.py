"""Studies of networks: who is on the band, what is measured of every user, and what is refused."""

import re

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.studies.network_at import NetworkAt
from latentlink.studies.seeding import Draw
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import run, write_study

POINT = {"n_tx": 4, "n_rx": 2, "uses": 2, "draws": 3}
FEW = {"starts": 1, "steps": 5, "polish": 5}
METHODS = {
    "common": [
        {"name": "broadcast", **FEW}, {"name": "fair", "rounds": 3}, {"name": "federated-admm", "rounds": 5}, {"name": "reused-design"},
        {"name": "time-division", "overheard": [False, True]}, {"name": "alone"},
    ],
    "private": [
        {"name": "broadcast", **FEW}, {"name": "fair", "rounds": 3}, {"name": "block-diagonal"}, {"name": "slnr"},
        {"name": "time-division"},
        {"name": "alone"},
    ],
    "sensors": [
        {"name": "multiple-access", "starts": 1, "steps": 5, "budget": ["separate", "sum"]}, {"name": "own-designs"},
        {"name": "time-division"},
    ],
    "pairs": [
        {"name": "game"}, {"name": "game", "order": "simultaneous"}, {"name": "cooperative", **FEW}, {"name": "fair", "rounds": 1},
        {"name": "own-designs"}, {"name": "alone"},
    ],
}  # fmt: skip


def study_of(folder, methods, network, **changes):
    given = {"channel": POINT, "snr": {"snr_db": 10}, "seeds": [1], "metrics": ["accuracy", "mse", "power"], "references": False}
    return write_study(folder, methods=methods, network=network, **{**given, **changes})


def rows_of(folder, methods, network, **changes):
    failures = []
    rows = run(study_of(folder, methods, network, **changes), folder / "r", done=lambda cell, reason: failures.append(reason))
    assert not any(failures), failures
    return rows


@pytest.mark.parametrize("scenario", METHODS)
def test_all_methods_of_a_scenario_give_rows_of_all_users(tmp_path, scenario):
    rows = rows_of(tmp_path, METHODS[scenario], {"scenario": scenario, "users": 2})
    users = 1 if scenario == "sensors" else 2
    assert rows["scenario"].unique().to_list() == [scenario]
    assert rows["users"].unique().to_list() == [2]
    for name in ("user_accuracy", "user_nmse", "user_error"):
        assert rows[name].list.len().unique().to_list() == [users]
    for whole, each in (("accuracy", "user_accuracy"), ("nmse", "user_nmse")):
        assert (rows[whole] - rows[each].list.mean()).abs().max() < 1e-6
    assert (rows["worst_accuracy"] == rows["user_accuracy"].list.min()).all()
    assert (rows["objective"] - rows["user_error"].list.sum()).abs().max() < 1e-9
    assert (rows["worst_error"] == rows["user_error"].list.max()).all()
    bounded = rows.drop_nulls("objective_bound")
    assert (bounded["objective"] >= bounded["objective_bound"] - 1e-9).all()
    assert rows["power"].is_between(0.0, 1.35).all()  # 60 pilots
    if "alone" in [method["name"] for method in METHODS[scenario]]:
        least = rows.filter(pl.col("method") == "each alone")["objective"].to_list()
        for _, part in rows.group_by("parameters"):
            assert all(value >= level - 1e-9 for value, level in zip(part["objective"], least, strict=True))


def test_a_network_of_one_user_is_the_link_of_a_study_without(tmp_path):
    rows = rows_of(tmp_path, [{"name": "broadcast"}], {"scenario": "common", "users": 1})
    named = [f"{split}-{what}" for split in ("train", "test") for what in ("transmitter", "receiver", "labels")]
    stored = {name: torch.as_tensor(np.load(tmp_path / "latents" / f"{name}.npy")) for name in named}
    chosen = ll.PilotSelection(20, seed=Draw.PILOTS.seed(1)).indices(stored["train-receiver"], stored["train-labels"])
    modes = ll.semantic_modes(ll.Moments.from_pairs(stored["train-transmitter"][chosen], stored["train-receiver"][chosen]))
    h = ll.rayleigh(2, 4, batch=(3,), generator=Draw.CHANNELS.generator(1, 2, 4)).to(torch.complex128)
    channel = ll.Channel.from_snr(h, 10.0).repeated(2)
    link = ll.ClosedForm().design(modes, channel).transceiver.to(torch.float32)
    noise = Draw.NOISE.generator(1)
    seen = ll.evaluate(link, stored["test-transmitter"], stored["test-receiver"], channel=channel, generator=noise)
    assert rows["nmse"].to_list() == pytest.approx(seen.nmse.tolist(), rel=0.05)  # turned within equal singular values
    assert rows["power"].to_list() == pytest.approx(seen.power.tolist(), rel=1e-3)
    assert rows["status"].unique().to_list() == ["optimal"]


def test_what_others_are_sent_is_what_a_user_hears(tmp_path):
    """Two users of one antenna and a transmitter of one cannot be told apart, so that each has the other's message as noise."""
    network = {"scenario": "private", "users": 2}
    both = rows_of(tmp_path / "a", [{"name": "slnr"}], network, channel={"antennas": 1, "draws": 3})
    alone = rows_of(tmp_path / "b", [{"name": "alone"}], network, channel={"antennas": 1, "draws": 3})
    assert both["nmse"].mean() > alone["nmse"].mean()
    assert both["nmse"].to_list() == pytest.approx((both["user_nmse"].list.mean()).to_list())


def test_stronger_interference_and_weaker_channels_are_worse(tmp_path):
    rows = rows_of(tmp_path / "a", [{"name": "game"}], {"scenario": "pairs", "users": 2, "inr_db": [-40.0, 0.0, 10.0]})
    worse = [rows.filter(pl.col("inr_db") == inr)["objective"].mean() for inr in (-40.0, 0.0, 10.0)]
    assert worse == sorted(worse)
    unheard = rows_of(tmp_path / "b", [{"name": "own-designs"}], {"scenario": "pairs", "users": 2, "inr_db": -40.0})
    assert worse[0] == pytest.approx(unheard["objective"].mean(), rel=1e-3)
    rows = rows_of(tmp_path / "c", [{"name": "broadcast", **FEW}], {"scenario": "common", "users": 2, "gains_db": [0.0, -20.0]})
    near, far = (rows["user_error"].list.get(k).mean() for k in (0, 1))
    assert near < far
    assert rows["user_gains_db"].unique().to_list() == ["0, −20"]


@pytest.mark.parametrize("network", [{"scenario": "pairs", "users": 2, "inr_db": 10.0}, {"scenario": "sensors", "users": 2}])
def test_own_designs_are_a_baseline_and_no_equilibrium(tmp_path, network):
    rows = rows_of(tmp_path, [{"name": "own-designs"}], network)
    assert rows["status"].unique().to_list() == ["baseline"]


def test_phases_that_nobody_knew_cost_designs_that_add_up_over_the_air(tmp_path):
    network = {"scenario": "sensors", "users": 2, "phase_error_deg": [0.0, 90.0]}
    methods = [{"name": "multiple-access", "starts": 1, "steps": 20}, {"name": "time-division"}]
    rows = rows_of(tmp_path, methods, network, channel={"antennas": 1, "uses": 2, "draws": 8})
    means = {key: part["objective"].mean() for key, part in rows.group_by("method", "phase_error_deg")}
    assert means["joint", 90.0] > means["joint", 0.0]
    assert means["time division", 90.0] == pytest.approx(means["time division", 0.0], rel=1e-9)
    assert rows.filter(pl.col("phase_error_deg") == 90.0)["objective_bound"].null_count() == 16


def test_surfaces_help_as_far_as_their_phases_are_chosen(tmp_path):
    network = {"scenario": "common", "users": 1, "elements": 16, "element_db": -15.0}
    methods = [{"name": "broadcast", "phases": phases} for phases in ("semantic", "capacity", "gain", "random", "none")]
    rows = rows_of(tmp_path / "a", methods, network, channel={"antennas": 2, "draws": 4})
    phases = pl.col("parameters").str.json_path_match("$.phases").fill_null("semantic")
    found = {key: part["objective"].mean() for (key,), part in rows.group_by(phases)}
    assert found["semantic"] <= min(found.values()) + 1e-9
    assert found["capacity"] < found["random"]
    assert found["gain"] < found["none"]
    bits = rows_of(tmp_path / "b", methods[:1], {**network, "bits": [1, 3, None]}, channel={"antennas": 2, "draws": 4})
    by = {key: part["objective"].mean() for (key,), part in bits.group_by("bits")}
    assert by[1] >= by[3] - 1e-6
    assert by[3] >= by[None] - 1e-6


def test_one_surface_serves_several_users(tmp_path):
    network = {"scenario": "common", "users": 2, "elements": 8, "element_db": -10.0, "bits": 2}
    methods = [{"name": "broadcast", **FEW}, {"name": "broadcast", **FEW, "phases": "random"}]
    rows = rows_of(tmp_path, methods, network, channel={"antennas": 2, "draws": 2})
    shared, random = (rows.filter(pl.col("parameters").str.contains("random") == each)["objective"].mean() for each in (False, True))
    assert shared < random


def test_a_method_of_ones_own_designs_all_links(tmp_path):
    (tmp_path / "lab_net.py").write_text(
        "import latentlink as ll\n\n"
        "class Mine:\n"
        "    def design(self, known, links):\n"
        "        return ll.networks.Broadcast(starts=1, steps=5, polish=5).design(known.modes(), links)\n\n"
        "class Wrong:\n"
        "    def design(self, known, links):\n"
        "        return 3\n\n"
        "class OfOne:\n"
        "    def design(self, known, links):\n"
        "        moments = ll.networks.NetworkMoments.from_pilots(known.x[:1], known.y[:1])\n"
        "        one = ll.networks.Links.from_snr([[links.table[0][0].h]], 10.0)\n"
        "        return ll.networks.Broadcast().design(ll.networks.network_modes(moments), one)\n\n"
        "class WithoutNoise(Mine):\n"
        "    def design(self, known, links):\n"
        "        return super().design(known, ll.networks.Links([[each.h for each in row] for row in links.table]))\n"
    )
    network = {"scenario": "common", "users": 2}
    rows = rows_of(tmp_path, [{"name": "lab_net:Mine"}, {"name": "broadcast", **FEW}], network)
    mine, ours = (rows.filter(pl.col("family") == family)["objective"].to_list() for family in ("own", "network"))
    assert mine == pytest.approx(ours, rel=1e-9)
    failures = []
    path = study_of(tmp_path, [{"name": "lab_net:Wrong"}], network)
    run(path, tmp_path / "w", done=lambda cell, reason: failures.append(reason))
    assert "what design returns must be" in failures[0]
    path = study_of(tmp_path, [{"name": "lab_net:OfOne"}], network)
    run(path, tmp_path / "o", done=lambda cell, reason: failures.append(reason))
    assert "must be for the network's 1 source and 2 users, got 1 and 1" in failures[1]
    noisy = rows_of(tmp_path, [{"name": "lab_net:WithoutNoise"}], network)  # is measured on the links that there are
    assert noisy["objective"].sum() > rows.filter(pl.col("family") == "own")["objective"].sum()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": [{"name": "closed-form"}]}, "network.scenario must be none for closed-form, got common"),
        ({"methods": [{"name": "game"}]}, "network.scenario must be pairs for game, got common"),
        ({"methods": [{"name": "broadcast"}], "network": {}}, "network.scenario must be common or private for broadcast, got none"),
        ({"network": {"users": 2}}, "users needs scenario common, private, sensors or pairs"),
        ({"network": {"scenario": "common", "inr_db": 3.0}}, "inr_db must be left out in scenario common, got 3.0: it belongs to pairs"),
        ({"network": {"scenario": "common", "bits": 2}}, "bits needs a surface: give elements, at least 1"),
        ({"network": {"scenario": "common", "transmitters": ["a", "b"]}}, "transmitters must name one encoder in scenario common"),
        ({"network": {"scenario": "common", "transmitters": ["a"]}}, "must be left out where data.dataset is files"),
        ({"network": {"scenario": "common", "users": 0}}, "greater than or equal to 1"),
        ({"methods": [{"name": "broadcast", "phases": "random"}]}, "phases must be left out without a surface, got random"),
        (
            {"methods": [{"name": "broadcast", "phases": "gain"}], "network": {"scenario": "common", "users": 2, "elements": 4}},
            "phases must be semantic, random or none for 2 users, got gain",
        ),
        ({"methods": [{"name": "time-division"}], "channel": {"antennas": 2}}, "channel.uses must be at least network.users, 2, got 1"),
        ({"methods": [{"name": "reused-design", "user": 2}]}, "user must be below network.users, 2, got 2"),
        ({"metrics": ["accuracy", "flops"]}, "metrics must be of accuracy, mse, cosine and power in a network, got flops too"),
        ({"csi": {"known": "both-ends"}}, "csi.known must be perfect in a network"),
        ({"pilots": {"count": 0, "unpaired": "all"}}, "pilots.unpaired must be left out in a network"),
        ({"channel": {"antennas": 2, "clipping_db": 3.0}}, "channel.clipping_db must be left out in a network"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_runs(tmp_path, changes, message):
    given = {"methods": [{"name": "broadcast"}], "network": {"scenario": "common", "users": 2}, **changes}
    methods, network = given.pop("methods"), given.pop("network")
    path = study_of(tmp_path, methods, network, **given)
    with pytest.raises(ValueError, match=re.escape(message)):
        cells(read_study(path, ()))


def test_cells_of_single_links_keep_their_ids():
    """The id of a cell must not depend on a section that it does not have; this one was computed before there were networks."""
    study = {"name": "mine", "data": {"dataset": "digits"}, "methods": [{"name": "closed-form"}], "seeds": 1, "references": False}
    (cell,) = cells(ll.studies.make_study(study))
    assert cell.id == "6f88fa03fafc10d1fc8a5bf8"


def test_settings_that_make_no_difference_give_one_id():
    base = {"scenario": "common", "users": 2}
    study = {
        "name": "mine",
        "data": {"dataset": "digits"},
        "methods": [{"name": "broadcast"}],
        "seeds": 1,
        "references": False,
        "metrics": "mse",
    }

    def identity(**network):
        return cells(ll.studies.make_study(study | {"network": base | network}))[0].id

    assert identity(gains_db=[0.0]) == identity() == identity(gains_db=[-0.0, 0.0])
    assert identity(elements=4) != identity()
    assert identity(elements=4, bits=2) != identity(elements=4)
    assert NetworkAt.model_validate({}).columns == {}
