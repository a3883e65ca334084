"""Options of `fit` and `evaluate` that are out of range are refused by name, before anything is read or trained."""

import pytest

from latentlink.cli.evaluate import evaluate
from latentlink.cli.fit import fit


@pytest.mark.parametrize(
    ("option", "value", "message"), [("gain", 0.0, "--gain must be a finite number > 0"), ("seed", -1, "--seed must be an integer >= 0")]
)
@pytest.mark.parametrize("method", ["linear", "codec"])
def test_fit_refuses_what_draws_no_channel(tmp_path, option, value, message, method):
    """`--gain 0` silently trained at gain 1."""
    with pytest.raises(ValueError, match=message):
        fit(tmp_path / "x.npy", tmp_path / "y.npy", tmp_path / "labels.npy", method=method, **{option: value})


def test_evaluate_names_the_link_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"there is no link .*nope: name a file"):
        evaluate(tmp_path / "nope", tmp_path / "x.npy", tmp_path / "y.npy", tmp_path / "labels.npy")
    with pytest.raises(ValueError, match="--seed must be an integer >= 0, got -1"):
        evaluate(tmp_path / "nope", tmp_path / "x.npy", tmp_path / "y.npy", tmp_path / "labels.npy", seed=-1)
