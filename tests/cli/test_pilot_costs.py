"""`latentlink fit` says what its pilots cost, the same as the library, or why it does not."""

import math
import re

import numpy as np
import pytest
import torch

import latentlink as ll
from latentlink.cli.fit import fit
from latentlink.cli.inspect import inspect
from latentlink.cli.pilot_costs import in_span, word_price
from one_cause import latents_of_one_cause
from oracles import normal

X, Y, LABELS = latents_of_one_cause(np.random.default_rng(0), 300, 6, 5)


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """What a fit prints, in one line."""
    monkeypatch.chdir(tmp_path)

    def run(rows=300, dimensions=6, labels=True, **options):
        g = np.random.default_rng(1)
        x = np.concatenate([X, 0.1 * g.normal(size=(len(X), dimensions - 6))], 1)
        for name, array in (("x", x), ("y", Y), ("labels", LABELS)):
            np.save(f"{name}.npy", array[:rows])
        fit("x.npy", "y.npy", "labels.npy" if labels else None, **{"n_tx": 2, "n_rx": 2, "output": tmp_path / "link"} | options)
        return " ".join(capsys.readouterr().out.split())

    return run


def test_the_price_is_that_of_the_library(told):
    said = told()
    head = ll.fit_head(Y, LABELS)
    goal = ll.Goal.fisher(head, Y, temperature=3.0, fidelity=0.01)
    channel = ll.load("link/link.safetensors").channel
    price = ll.bounds.pilot_price(ll.Moments.from_pairs(X, Y, folds=10), channel, goal)
    assert word_price(price, 300, goal=True) in said


@pytest.mark.filterwarnings("ignore")
def test_more_dimensions_than_pilots_lose_nothing_in_their_span():
    """The price of rotated latents is that of the latents themselves."""
    y = torch.tensor(Y[:60]).double()
    x = y @ normal(1, 5, 90) + normal(2, 60, 90)
    channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
    rotated, basis = in_span(x)
    assert basis.shape == (90, 59)
    first, second = (ll.bounds.pilot_price(ll.Moments.from_pairs(each, y, folds=10), channel) for each in (x, rotated))
    torch.testing.assert_close(first.held_out, second.held_out, rtol=0.02, atol=0)


def test_the_handshake_counts_answers_and_when_they_pay(told):
    words = told()
    assert "the receiver answers 300 pilots with latents in 375 channel uses" in words
    assert re.search(
        r"with its decisions in \d+ or more; with latents it pays after \d+ messages, against guessing the largest class", words
    )
    assert "it pays after" not in told(labels=False)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"rows": 30}, "there are 30, and folds take 40"),
        ({"goal": "auto"}, "the goal was chosen on held-out ones"),
        ({"goal": "mse", "complex_linear": True}, "maps are complex-linear"),
        ({"power": "per-message"}, "its power depends on each message"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_where_no_price_is_told_a_sentence_says_why(told, options, why):
    assert f"price not told, since {why}" in told(**options).replace("the decoder is not known yet when the link is designed, or ", "")


def test_a_file_keeps_the_price(told, capsys):
    told(goal="mse")
    inspect("link/link.safetensors")
    assert re.search(r"price of the pilots, dB, from +\d", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ((0.2, 0.7, 0.9), "about 0.2 to 0.7 dB of the error against unlimited ones; at most 0.9 dB"),
        ((0.2, math.inf, 0.9), "about 0.2 to 0.9 dB of the error against unlimited ones, which is the most that they may"),
        ((0.2, 0.7, 0.5), "about 0.2 to 0.5 dB of the error against unlimited ones, which is the most that they may"),
        ((0.2, 0.7, 0.1), "at most 0.1 dB of the error against unlimited ones"),
    ],
)
def test_the_price_never_exceeds_its_bound(figures, told):
    low, high, bound = (torch.tensor([value], dtype=torch.float64) for value in figures)
    price = ll.bounds.PilotPrice(low, high, bound, torch.ones(2, 1), torch.ones(2))
    assert word_price(price, 42, goal=False) == f"these 42 pilots cost {told}"
