"""The pages of the theory name code, citations, tests and pages that exist, and formulas that no other test covers hold."""

import importlib
import re
from pathlib import Path

import pytest
import torch

import latentlink as ll
from latentlink.digital.adaptation import Option, error_of_lost
from oracles import channel, dense_pair, moments, normal, pairs, seeded

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "theory"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
KEYS = set(re.findall(r"^@\w+\{([^,\s]+),", (ROOT / "docs" / "references.bib").read_text(encoding="utf-8"), re.MULTILINE))


def find(name):
    """The object of a dotted name, imported as far as it is modules."""
    head, *rest = name.split(".")
    found = importlib.import_module(head)
    for part in rest:
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page):
    text = PAGES[page]
    for name in re.findall(r"\{py:obj\}`([^`]+)`", text):
        assert find(name) is not None, name
    for role in re.findall(r"\{cite:[pt]\}`([^`]+)`", text):
        assert {key.strip() for key in role.split(",")} <= KEYS, role
    for path in re.findall(r"\btests/[\w/.]*\w", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#:]+\.md)\)", text):
        assert (FOLDER / link).exists(), link


def test_every_page_is_in_the_table_of_contents():
    toctree = re.search(r"```\{toctree\}\n(.*?)```", PAGES["index"], re.DOTALL).group(1)
    assert sorted(re.findall(r"<([\w-]+)>$", toctree, re.MULTILINE)) == sorted(PAGES.keys() - {"index"})


def test_the_unweighted_error_of_a_goals_design():
    """closed-form.md: tr Ry − Σ ||Ψ_i||² p_i h_i² / (p_i h_i² + N)."""
    modes = ll.semantic_modes(moments(1, 8, 7), ll.Goal(normal(2, 4, 7)), shrinkage=0.0)
    one = channel(3, 2, 3)
    solution = ll.ClosedForm().design(modes, one)
    p = solution.trace["stream_power"]
    received = p * torch.linalg.svdvals(one.h[0]).repeat_interleave(2)[: len(p)].square()
    share = received / (received + one.noise_variance / 2)
    expected = modes.variance - (modes.synthesis.square().sum(0)[: len(p)] * share).sum()
    torch.testing.assert_close(solution.expected_mse, expected, rtol=1e-10, atol=0.0)


def test_the_first_modes_are_reduced_rank_regression():
    """semantic-modes.md: the best map of rank k is the regression, projected on the principal components of what it fits."""
    x, y = pairs(4, 300, 7, 6)
    modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), shrinkage=0.0)
    x, y = x - x.mean(0), y - y.mean(0)
    fitted = x @ torch.linalg.lstsq(x, y).solution
    components = torch.linalg.svd(fitted, full_matrices=False).Vh
    for k in range(1, 6):
        least = (y - fitted @ components[:k].mT @ components[:k]).square().sum(1).mean()
        mine = (y - x @ (modes.synthesis[:, :k] @ modes.analysis[:k]).mT).square().sum(1).mean()
        torch.testing.assert_close(mine, least, rtol=1e-10, atol=0.0)
        torch.testing.assert_close(modes.variance - modes.strength[:k].square().sum(), least, rtol=1e-10, atol=0.0)


def test_complex_linear_maps_may_lose_half_without_noise():
    """widely-linear.md: x white, y = (x_1, 0); what no estimate of either class avoids."""
    white = torch.eye(2, dtype=torch.float64)
    first = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    known = ll.Moments(1000, torch.zeros(2).double(), torch.zeros(2).double(), white, first, first)
    for widely_linear, left in ((True, 0.0), (False, 0.5)):
        modes = ll.semantic_modes(known, shrinkage=0.0, widely_linear=widely_linear)
        unavoidable = modes.weighted_variance - modes.strength.square().sum()
        torch.testing.assert_close(unavoidable, torch.tensor(left, dtype=torch.float64), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 30.0])
def test_the_mean_gram_matrix_bounds_a_receiver_that_measures(snr_db):
    """csi.md: the closed form on a square root of H̄ᴴ H̄ + n_rx τ I is below the expected error of any precoder, by Jensen."""
    modes = ll.semantic_modes(moments(5, 8, 7), shrinkage=0.0)
    known = channel(6, 2, 3, snr_db=snr_db, batch=(4,)).estimated(0.3, generator=seeded(7))
    tau = known.error_variance[..., None, None, None]
    gram = known.h.mH @ known.h + known.n_rx * tau * torch.eye(known.n_tx)
    root = torch.linalg.cholesky(gram).mH
    bound = ll.ClosedForm().design(modes, ll.Channel(root, known.noise_variance, known.power)).expected_mse
    chosen = ll.ClosedForm(csi=ll.csi.Transmitter(draws=256)).design(modes, known)
    assert (bound < chosen.expected_mse + 3 * chosen.trace["expected_mse_error"]).all()
    assert (bound > 0.3 * chosen.expected_mse).all()


def test_the_power_under_the_pilots_own_covariance():
    """few-pilots.md: tr F Rx Fᵀ = u P − λ (tr Rx / d) ||F||², with a budget that is used up under R_λ."""
    known, one = ll.Moments.from_pairs(*pairs(8, 12, 9, 6)), channel(9, 2, 2, uses=2)
    modes = ll.semantic_modes(known, shrinkage=0.2)
    solution = ll.ClosedForm().design(modes, one)
    F, _ = dense_pair(solution.transceiver)
    expected = one.uses * one.power - 0.2 * known.cov_x.trace() / 9 * F.square().sum()
    torch.testing.assert_close(one.uses * solution.expected_power, expected, rtol=1e-10, atol=0.0)


def test_a_lost_payload_without_a_check_costs_what_the_page_says():
    """digital.md: all pairs of a payload and a wrong one, for a codebook of mean zero whose words are conditional means."""
    words = normal(10, 8, 4)
    words = words - words.mean(0)
    around = normal(11, 8, 500, 4)
    around = around - around.mean(1, keepdim=True)
    sent = words.unsqueeze(1) + around
    nothing, received = float(sent.square().sum(-1).mean()), float(around.square().sum(-1).mean())
    wrong = [float((sent[i] - words[j]).square().sum(-1).mean()) for i in range(8) for j in range(8) if i != j]
    block = Option(payload=3, length=0, error=0.1, place=(0,))
    assert not block.has_crc
    assert error_of_lost(block, nothing, received) == pytest.approx(sum(wrong) / len(wrong), rel=1e-10)


def test_the_price_of_power_is_the_slope_of_the_least_error():
    """admm.md: the multiplier at the closed form is Σ b_i² x_i / (1 + x_i)² / (u P), what one more unit of power would save."""
    modes, one = ll.semantic_modes(moments(12, 8, 6), shrinkage=0.0), channel(13, 3, 3, uses=2)
    power = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    solution = ll.ClosedForm().design(modes, one.with_power(power))
    solution.expected_mse.backward()
    p = solution.trace["stream_power"].detach()
    h = torch.linalg.svdvals(one.h).flatten().repeat_interleave(2).sort(descending=True).values[: len(p)]
    x = p * h.square() / (one.noise_variance / 2)
    price = (modes.strength[: len(p)].square() * x / (1 + x).square()).sum() / one.uses
    torch.testing.assert_close(-power.grad / one.uses, price, rtol=1e-8, atol=0.0)


def test_the_automatic_shrinkage_has_the_least_generalised_cross_validation_error_of_the_pilots():
    """few-pilots.md: from moments alone, what the hat matrix of the ridge regression on the pilots themselves gives."""
    x, y = pairs(14, 60, 12, 5, noise=1.0)
    known = ll.Moments.from_pairs(x, y)
    x, y = x - x.mean(0), y - y.mean(0)

    def criterion(shrinkage):
        ridge = len(x) * shrinkage * known.cov_x.trace() / 12
        hat = x @ torch.linalg.solve(x.mT @ x + ridge * torch.eye(12, dtype=torch.float64), x.mT)
        return float((y - hat @ y).square().sum() / (1 - (hat.trace() + 1) / len(x)) ** 2)

    candidates = [0.0, *(10 ** torch.linspace(-8, 2, 161, dtype=torch.float64)).tolist()]
    least = min(criterion(shrinkage) for shrinkage in candidates)
    chosen = ll.semantic_modes(known).shrinkage
    assert 0 < chosen < 100
    assert criterion(chosen) == pytest.approx(least, rel=1e-9)
