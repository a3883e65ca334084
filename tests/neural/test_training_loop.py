"""The one training loop: when it ends, what it delivers, and that an interruption leaves no trace; progress where somebody watches."""

import math
from pathlib import Path

import pytest
import torch

from latentlink.neural.training_loop import Checkpoint, TrainingLoop, progress_callback
from latentlink.numerics.identity import identity_of


class Descent(TrainingLoop):
    """A weight that is moved by drawn steps; its validation loss is prescribed, round by round."""

    def __init__(self, losses, patience=3):
        super().__init__(len(losses) - 1, patience, {"steps": torch.Generator().manual_seed(5)})
        self.losses = losses
        self.module = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
        torch.nn.init.zeros_(self.module.weight)
        self.optimiser = torch.optim.Adam(self.module.parameters(), 0.1)
        self.seen = []

    def train(self):
        step = torch.randn((), generator=self.random["steps"], dtype=torch.float64)
        self.optimiser.zero_grad()
        (self.module.weight.sum() * step).backward()
        self.optimiser.step()
        self.seen.append(self.module.weight.item())
        return float(step)

    def measure(self):
        return {"validation": self.losses[self.round], "weight": self.module.weight.item()}


def test_the_best_weights_are_delivered_and_training_ends_when_nothing_improves():
    loop = Descent([9.0, 3.0, 2.0, 2.5, 2.0, 4.0, 0.0, 0.0], patience=3)
    loop.run()
    assert (loop.round, loop.best_round, loop.best_loss) == (5, 2, 2.0)  # as good is no better
    assert loop.converged
    assert loop.module.weight.item() == loop.seen[1]
    assert loop.series("validation").tolist() == [3.0, 2.0, 2.5, 2.0, 4.0]
    assert loop.series("weight").tolist() == loop.seen


def test_a_loss_that_is_no_number_ends_it_with_the_best_before():
    loop = Descent([9.0, 3.0, math.nan, 1.0])
    loop.run()
    assert loop.diverged
    assert loop.round == 2
    assert loop.module.weight.item() == loop.seen[0]


class Stop(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_an_interrupted_loop_ends_in_the_same_bits(tmp_path, stop):
    losses = [9.0, 5.0, 4.0, 4.5, 3.0, 3.5]
    whole = Descent(losses)
    whole.run()
    checkpoint = Checkpoint(tmp_path / "state", identity_of(losses), torch.device("cpu"), "losses")
    first = Descent(losses)

    def interrupt():
        if first.round == stop:
            raise Stop

    with pytest.raises(Stop):
        first.run(interrupt, checkpoint)
    second = Descent(losses)
    second.run(None, checkpoint)
    assert second.seen == whole.seen[stop:]
    assert second.history == whole.history
    assert torch.equal(second.module.weight, whole.module.weight)
    checkpoint.path.unlink()
    assert not checkpoint.path.exists()
    checkpoint.restore(first.resume)  # no file, nothing to take


def test_identities_tell_values_types_and_settings_apart():
    x = torch.arange(6.0)
    parts = [(x,), (x.double(),), (x.view(2, 3),), (x + 1,), (x, "setting"), (x, None), (torch.complex(x, x),)]
    assert len({identity_of(*one) for one in parts}) == len(parts)
    assert identity_of(x, "setting") == identity_of(x.clone(), "setting")


def test_progress_is_told_where_it_is_asked_for_and_refuses_what_is_none(capsys):
    def own(*facts):
        return facts

    assert progress_callback(own, "training") is own
    progress_callback(True, "training")(1, 2, 0.5, 0.5)  # pytest pipes it: a line only after 30 s
    assert capsys.readouterr().err == ""
    assert progress_callback(None, "training") is progress_callback(False, "training") is None
    with pytest.raises(ValueError, match="progress must be True, False or a callback"):
        progress_callback("yes", "training")


def test_checkpoints_are_of_their_training(tmp_path):
    path: Path = tmp_path / "state"
    Checkpoint(path, "one", torch.device("cpu"), "settings").save({"round": 1})
    with pytest.raises(ValueError, match=r"checkpoint must be of the same settings, which .* is not; delete it"):
        Checkpoint(path, "another", torch.device("cpu"), "settings").restore(lambda state: None)
    taken = []
    Checkpoint(path, "one", torch.device("cpu"), "settings").restore(taken.append)
    assert taken[0]["round"] == 1
