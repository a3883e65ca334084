"""Laws of selfish pairs at the edges of what they serve: what is a game, what rounding is, and which games settle."""

import pytest
import torch

import latentlink as ll
import network_cases as cases
from latentlink.networks.answers import answer, noise_at
from latentlink.networks.game import CYCLING, EQUILIBRIUM
from latentlink.networks.problem import Problem

nw = ll.networks
EVERY = [
    nw.SemanticGame(rounds=30), nw.SemanticGame(proper=False, rounds=25), nw.Cooperative(starts=3, steps=3, polish=3),
    nw.Cooperative(method="prices", starts=3, steps=2, polish=0), nw.Fair(by=nw.Cooperative(starts=1, steps=3, polish=0), rounds=2),
]  # fmt: skip


def _pairs(cross: float, snr_db: float = 10.0, antennas: int = 2, batch: int = 4) -> "nw.Links":
    """Three pairs with cross channels of a given amplitude."""
    table = cases.links("interference", batch=batch, snr_db=snr_db, n_rx=antennas, n_tx=antennas).table
    h = [[each.h * (1.0 if k == t else cross) for t, each in enumerate(row)] for k, row in enumerate(table)]
    return nw.Links(h, table[0][0].noise_variance)


def _dependent() -> "nw.NetworkModes":
    """Two pairs whose sources see one scene."""
    x = cases.latents()
    return nw.network_modes(nw.NetworkMoments.from_pilots([x[:, :4], x[:, 2:]], [x[:, :3].tanh(), x[:, 3:].tanh()]))


@pytest.mark.parametrize("design", [*EVERY[:2], EVERY[3]], ids=repr)
def test_what_is_no_network_of_pairs_is_refused(design):
    """Where sources depend on each other, another's signal is no mere noise: there is no closed form to answer with."""
    with pytest.raises(ValueError, match="modes and links must be pairs"):
        design.design(_dependent(), cases.links("interference", users=2))
    for kind in ("sensors", "broadcast", "private"):
        with pytest.raises(ValueError, match="modes and links must be pairs"):
            design.design(cases.modes(kind), cases.links(kind))


def test_proper_signals_refuse_improper_interference_from_outside():
    links = _pairs(0.3)
    outside = torch.diag(torch.tensor([0.5, 0.1, 0.0, 0.0], dtype=torch.float64))
    heard = nw.Links([[each.h for each in row] for row in links.table], 0.1, interference=[outside, None, None])
    with pytest.raises(ValueError, match="proper=False"):
        nw.SemanticGame().design(cases.modes("interference"), heard)
    proper = nw.Links(
        [[each.h for each in row] for row in links.table], 0.1, interference=[outside + outside.roll((2, 2), (0, 1)), None, None]
    )
    assert bool((nw.SemanticGame().design(cases.modes("interference"), proper).status == EQUILIBRIUM.code).all())
    assert nw.SemanticGame(proper=False, rounds=2).design(cases.modes("interference"), heard).weighted.isfinite().all()
    together = nw.Cooperative(starts=2, polish=5).design(cases.modes("interference"), heard)
    assert bool((together.trace["objective"] >= together.bound - cases.modes("interference").rest.sum() - 1e-12).all())


@pytest.mark.parametrize("dimensions", [2, 3, 5, 6])
def test_proper_answers_are_proper_and_their_errors_are_what_arrives(dimensions):
    """With an odd number of modes too, of which the last is half a symbol: it is not sent."""
    x = [cases.latents(k)[:, :dimensions] for k in range(3)]
    modes = nw.network_modes(nw.NetworkMoments.from_pilots(x, [each.tanh() for each in x], "own"))
    problem = Problem.of(modes, _pairs(0.4, antennas=4))
    F = nw.SemanticGame(rounds=2).solve(problem).F
    for k, (rows, columns) in enumerate(zip(problem.rows, problem.columns, strict=True)):
        sent = torch.complex(*F[..., rows, columns].unflatten(-2, (2, -1)).unbind(-3))
        torch.testing.assert_close(sent @ sent.mT, torch.zeros(4, 4, 4, dtype=torch.complex128), rtol=0.0, atol=1e-12)
        played = answer(problem, noise_at(problem, F, k, True), k)
        after = F.clone()
        after[..., rows, columns] = played.F
        torch.testing.assert_close(problem.errors(after)[..., k], played.error, rtol=1e-10, atol=1e-12)
        assert bool((problem.spent(after)[..., k] <= problem.power[..., k] * (1 + 1e-12)).all())
        assert bool((played.error <= problem.errors(F)[..., k] * (1 + 1e-12)).all())


def test_one_real_mode_cannot_be_proper():
    x = [cases.latents(k)[:, :1] for k in range(3)]
    modes = nw.network_modes(nw.NetworkMoments.from_pilots(x, [each.tanh() for each in x], "own"))
    with pytest.raises(ValueError, match="proper=False"):
        nw.SemanticGame().design(modes, _pairs(0.4))
    assert bool((nw.Cooperative(starts=2, polish=5).design(modes, _pairs(0.4)).expected_power > 0).all())


@pytest.mark.parametrize("snr_db", [60.0, 120.0])
def test_rounding_is_no_gain(snr_db):
    """Pairs that do not hear each other are in equilibrium at once, however small their errors are."""
    solution = nw.SemanticGame().design(cases.modes("interference"), _pairs(0.0, snr_db, antennas=4))
    assert solution.status_names() == ["equilibrium"]
    assert bool((solution.trace["rounds"] == 0).all())


def test_answers_to_averaged_noise_settle_games_that_best_answers_do_not():
    links = _pairs(1.5, 20.0, antennas=4, batch=24)
    modes = cases.modes("interference")
    plain, damped = (nw.SemanticGame(damping=share).design(modes, links) for share in (0.0, 0.5))
    moving = plain.status == CYCLING.code
    assert bool(moving.any())
    assert int((damped.status == CYCLING.code).sum()) < int(moving.sum())
    assert torch.equal(damped.status == CYCLING.code, damped.trace["gain"] > 1e-10)
    early = ~moving & (plain.trace["rounds"] < 20)
    torch.testing.assert_close(damped.precoder[early], plain.precoder[early], rtol=0.0, atol=0.0)


def test_a_batch_of_games_is_its_members():
    links, modes = _pairs(1.5, 20.0, antennas=4, batch=6), cases.modes("interference")
    whole = nw.SemanticGame(rounds=40).design(modes, links)
    for n in (0, 5):
        one = nw.SemanticGame(rounds=40).design(modes, links[n])
        torch.testing.assert_close(one.weighted, whole.weighted[n], rtol=1e-9, atol=1e-12)
        assert float(one.trace["rounds"]) == float(whole.trace["rounds"][n])


def test_float32_is_near():
    links, modes = _pairs(0.7), cases.modes("interference")
    double, single = (nw.SemanticGame().design(modes.to(dtype), links) for dtype in (torch.float64, torch.float32))
    assert single.status_names() == double.status_names() == ["equilibrium"]
    torch.testing.assert_close(single.weighted.double(), double.weighted, rtol=1e-4, atol=0.0)


@pytest.mark.parametrize("design", EVERY, ids=repr)
@pytest.mark.parametrize("weights", [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
def test_users_of_no_weight_send_nothing(design, weights):
    """They have no coordinates, hence no columns, and nobody fails on that."""
    links = _pairs(0.7)
    solution = design.design(nw.network_modes(cases.moments("interference"), weights=weights), links)
    silent = torch.tensor(weights) == 0
    assert bool((solution.expected_power[:, silent] == 0).all())
    assert bool(solution.weighted.isfinite().all() & (solution.weighted[:, silent] == 0).all())
    if silent.all():
        assert solution.status_names() == ["nothing to send"]


@pytest.mark.parametrize("design", EVERY[:4], ids=repr)
def test_nothing_is_nan_at_the_edges(design):
    modes, table = cases.modes("interference"), _pairs(0.7).table
    deaf = [[each.h * (k != 1) for each in row] for k, row in enumerate(table)]
    for h, noise in ((deaf, 0.1), (deaf, 0.0), ([[0 * each for each in row] for row in deaf], 0.1)):
        solution = design.design(modes, nw.Links(h, noise))
        assert bool(solution.precoder.isfinite().all() & solution.weighted.isfinite().all() & solution.expected_mse.isfinite().all())
        torch.testing.assert_close(solution.weighted[:, 1], modes.weighted_variance[1].expand(4))
        assert bool((solution.expected_power <= 1 + 1e-6).all())
