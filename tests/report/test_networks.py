"""What reports draw of networks: errors beside their bound, each user by itself, and games beside cooperation."""

import json

import pytest

from latentlink.report.arrange import arrange
from latentlink.report.curves import BOUND
from latentlink.report.findings import find_all
from latentlink.report.networks import compare_games, plot_errors, plot_users
from latentlink.report.page import ReportMeta, write_report
from report.rows import frame, row

ERRORS = {"game": [[0.3, 0.1], [0.2, 0.2]], "cooperative": [[0.1, 0.1], [0.1, 0.3]], "alone": [[0.05, 0.05], [0.05, 0.1]]}


def network_rows(inrs=(-10.0, 10.0)):
    """Games of two networks at every INR, whose errors grow with it."""
    found = []
    for inr in inrs:
        for name, networks in ERRORS.items():
            for channel, errors in enumerate(networks):
                users = [error * (1.0 + (inr > 0)) for error in errors]
                found.append(
                    row(name, channel=channel, inr_db=inr)
                    | {
                        "family": "network", "parameters": json.dumps({"name": name}), "scenario": "pairs", "users": 2,
                        "user_error": users, "user_accuracy": [1 - error for error in users], "user_nmse": users, "exact_mse": None,
                        "opta": None, "opta_nmse": None, "objective": sum(users), "worst_error": max(users),
                        "objective_bound": 0.5 * sum(users) if name == "alone" else 0.01, "accuracy": 1 - sum(users) / 2,
                        "worst_accuracy": 1 - max(users),
                    }
                )  # fmt: skip
    return frame(found)


def test_errors_are_drawn_with_the_closest_bound():
    (plot,) = plot_errors(arrange(network_rows(), "inr"))
    errors, worst = plot.frames
    lines = {line.name: line for line in errors.lines}
    assert set(lines) == {BOUND, "game", "cooperative", "alone"}
    assert lines["game"].y == pytest.approx((0.4, 0.8))
    assert lines[BOUND].y == pytest.approx((0.0625, 0.125))
    assert next(line for line in worst.lines if line.name == "cooperative").y == pytest.approx((0.2, 0.4))


@pytest.mark.parametrize("settings", [{"goal": "fisher"}, {"goal": "none", "fidelity": 0.01}, {}])
def test_a_bound_of_other_errors_or_of_other_channels_is_not_drawn(settings):
    """The bound of one goal says nothing of another's errors, nor that of a surface's phases of other phases."""
    rows = [
        {**each, "parameters": json.dumps({"name": each["method"], "goal": "none", **(settings if each["method"] == "game" else {})}),
         "elements": 0 if settings else 8}
        for each in network_rows().to_dicts()
    ]  # fmt: skip
    (plot,) = plot_errors(arrange(frame(rows), "inr"))
    assert {line.name for line in plot.frames[0].lines} == {"game", "cooperative", "alone"}


def test_games_are_compared_with_cooperation_for_the_same_goal():
    other = [
        {**each, "method": f"{each['method']}, goal", "objective": 10 * each["objective"] * (2 if each["method"] == "game" else 1),
         "parameters": json.dumps({"name": each["method"], "goal": "fisher"})}
        for each in network_rows().to_dicts()
    ]  # fmt: skip
    (table,) = compare_games(arrange(frame([*other, *network_rows().to_dicts()]), "inr")).tables
    found = {name: entries[0].text for name, entries in table.rows}
    assert found["game, INR 10 dB"] == "1.500"
    assert found["game, goal, INR 10 dB"] == "3.000"


def test_users_are_drawn_one_by_one():
    plots = plot_users(arrange(network_rows(), "inr"))
    assert [plot.condition[0] for plot in plots] == [("user", 1), ("user", 2)]
    accuracy, error = plots[1].frames
    assert next(line for line in accuracy.lines if line.name == "game").y == pytest.approx((0.85, 0.7))
    assert next(line for line in error.lines if line.name == "game").y == pytest.approx((0.15, 0.3))


def test_the_price_of_anarchy_is_that_of_the_same_networks():
    found = compare_games(arrange(network_rows(), "inr"))
    (plot,) = found.plots
    marks = plot.frames[0].lines[1:]
    assert [line.look.width for line in marks] == [0.0, 0.0]
    assert marks[0].x == pytest.approx((0.2, 0.4))
    assert marks[0].y == pytest.approx((0.4, 0.4))
    (table,) = found.tables
    assert [name for name, _ in table.rows] == ["game, INR −10 dB", "game, INR 10 dB"]
    assert [[entry.text for entry in entries] for _, entries in table.rows] == [["1.500", "2.000", "50.0%", "25.0%"]] * 2


def test_rounds_of_games_are_compared_with_the_last_of_cooperation():
    rows = frame(
        [
            {
                **each,
                "inr_db": 10.0,
                "iterations": rounds,
                "objective": each["objective"] * scale,
                "parameters": json.dumps({**json.loads(each["parameters"]), "rounds": rounds}),
            }
            for each in network_rows((10.0,)).to_dicts()
            for rounds, scale in ((1, 2.0), (10, 1.0))
        ]
    )
    (table,) = compare_games(arrange(rows, "iterations")).tables
    (plot,) = plot_errors(arrange(rows, "iterations"))
    assert {line.name: len(line.x) for line in plot.frames[0].lines}["game"] == 2  # one curve, whose rounds are on the axis
    assert [entries[0].text for _, entries in table.rows] == ["3.000", "1.500"]


@pytest.mark.parametrize("rows", [frame([row("Eigen-K")]), network_rows().filter(network_rows()["method"] != "cooperative")])
def test_what_a_study_lacks_is_not_drawn(rows):
    assert not compare_games(arrange(rows, "snr")).plots


def test_the_page_shows_networks(tmp_path):
    meta = ReportMeta("toy", "Toy", "", "inr", "", "", 1.0, 6, 0, 0)
    files = [path.name for path in write_report(network_rows(), meta, tmp_path)]
    assert {"errors-vs-inr.png", "users-vs-inr-user-1.png", "users-vs-inr-user-2.png", "anarchy.png"} <= set(files)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The users of the network" in page
    assert "Price of anarchy" in page


def test_a_level_does_not_win_against_designs_that_share_the_band():
    (finding,) = find_all(arrange(network_rows(), "inr"))
    assert "cooperative" in finding.sentences[0]
    assert "alone" not in " ".join(finding.sentences)
