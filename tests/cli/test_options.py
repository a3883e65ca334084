"""Options of `fit` and `evaluate` that are out of range are refused by name, before anything is read or trained."""

from typing import get_args

import pytest
import torch
from cyclopts import CycloptsError

import latentlink as ll
from latentlink.cli import app
from latentlink.cli.design import design
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


BEFORE = {  # what a command has to be given beside its options
    "fit": ["x.npy", "y.npy", "labels.npy"],
    "design": ["pair.safetensors"],
    "evaluate": ["out", "x.npy", "y.npy", "labels.npy"],
    "watch": ["y.npy"],
    "encode": ["--dataset", "digits"],
    "study run": ["study.yaml"],
    "demo": [],
}


def options_of(kind):
    """Every option of every command whose value is of a kind, with its command."""
    for command in BEFORE:
        _, apps, _ = app.parse_commands(command.split())
        for argument in apps[-1].assemble_argument_collection():
            if kind in named_kinds(argument.hint):
                yield command, argument.name


def named_kinds(hint):
    return {hint, *(kind for inner in get_args(hint) for kind in named_kinds(inner))}


def is_taken(command, option, value):
    try:
        app.parse_args([*command.split(), *BEFORE[command], option, value], exit_on_error=False, print_error=False)
    except CycloptsError:
        return False
    return True


@pytest.mark.parametrize("value", ["1.5", "2.0", "0x10", "1_0", "99999999999999999999", "nan", "1e3", ""])
def test_integers_are_integers_in_every_command(value):
    options = list(options_of(int))
    assert len(options) > 10
    assert not [each for each in options if is_taken(*each, value)]


@pytest.mark.parametrize("value", ["nan", "1_0.5", "1e999", "0x1p3", "", "ten"])
def test_numbers_are_numbers_in_every_command(value):
    options = list(options_of(float))
    assert len(options) > 10
    assert not [each for each in options if is_taken(*each, value)]


def test_what_is_meant_is_taken():
    assert is_taken("fit", "--n-tx", "4")
    assert is_taken("fit", "--seed", "-1")  # refused by the command itself, which names what it expects
    assert is_taken("fit", "--snr-db", "inf")
    assert is_taken("fit", "--snr-db", "-1e1")
    assert is_taken("fit", "--shrinkage", "0.1")
    assert is_taken("fit", "--shrinkage", "auto")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0.0}, "--budget must be a finite number > 0, got 0"),
        ({"n_tx": 10**12}, "--n-tx must be an integer from 1 to 2147483647"),
        ({"n_tx": 2_000_000, "n_rx": 2_000_000}, "--n-rx 2000000 and --n-tx 2000000 make a channel that memory does not hold"),
    ],
)
def test_limits_are_named_by_their_options(tmp_path, settings, message):
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    ll.semantic_modes(ll.Moments.from_pairs(x, x)).save(tmp_path / "pair.safetensors")
    with pytest.raises((ValueError, MemoryError), match=message):
        design(tmp_path / "pair.safetensors", output=tmp_path / "link.safetensors", **settings)


def test_integers_of_too_many_digits_are_told_the_limit():
    with pytest.raises(CycloptsError, match="must be an integer of at most 18 digits"):
        app.parse_args(["fit", *BEFORE["fit"], "--n-tx", "9" * 20], exit_on_error=False, print_error=False)
