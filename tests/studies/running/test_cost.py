"""How long cells will take, before they run."""

import pytest

from latentlink.neural.paper.design import Neural
from latentlink.studies.result_files import Results
from latentlink.studies.running import cost
from latentlink.studies.running.cost import LINEAR_S
from latentlink.studies.running.measure import TIMED_MESSAGES
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import write_study


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("jobs", [1, 3])
def test_training_is_estimated_with_all_that_comes_with_it(tmp_path, monkeypatch, jobs):
    path = write_study(tmp_path, methods=[{"name": "neural", "strength": [0, 1]}, {"name": "closed-form"}], metrics=["accuracy", "latency"])
    monkeypatch.setattr(Neural, "estimated_seconds", lambda self, pilots, channel: 10.0)
    monkeypatch.setattr(cost, "seconds_of_message", lambda link, x, channel: 1e-3)
    todo = cells(read_study(path, ("channel.antennas=2", "channel.draws=2")))
    runner = Runner(Results(tmp_path / "r"), jobs)
    assert {runner.estimated_seconds(cell) for cell in todo if cell.method.name == "closed-form"} == {LINEAR_S}
    (seconds,) = {runner.estimated_seconds(cell) for cell in todo if cell.method.name == "neural"}
    assert seconds == pytest.approx(2 * (10 + 90e-3 + jobs * TIMED_MESSAGES * 1e-3))
    untimed = cells(read_study(path, ("metrics=[accuracy]",)))
    assert {runner.estimated_seconds(cell) for cell in untimed if cell.method.name == "neural"} == {10 + 90e-3}


def test_a_method_whose_estimate_fails_stops_nothing(tmp_path, monkeypatch):
    def fail(self, pilots, channel):
        raise ValueError("draws must have channels of at most max_symbols")

    monkeypatch.setattr(Neural, "estimated_seconds", fail)
    todo = cells(read_study(write_study(tmp_path, methods=[{"name": "neural"}])))
    assert {Runner(Results(tmp_path / "r")).estimated_seconds(cell) for cell in todo} == {LINEAR_S}
