"""Limits of what primary users receive: the dual bounds, the gap closes, and the ends of the range are known."""

import pytest
import torch

import latentlink as ll
from latentlink.linear.mse import link_mse

CAPS = (1e-3, 0.03, 0.3)


def _case(batch: int = 8, uses: int = 1) -> tuple[ll.SemanticModes, ll.Channel, torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(400, 8, dtype=torch.float64, generator=source)
    modes = ll.semantic_modes(
        ll.Moments.from_pairs(x, (x @ torch.randn(8, 6, dtype=torch.float64, generator=source)).tanh()), shrinkage=0.0
    )
    h = ll.rayleigh(3, 4, batch=(batch, uses), generator=source).to(torch.complex128)
    primary = ll.rayleigh(2, 4, batch=(batch, uses), generator=source).to(torch.complex128)
    return modes, ll.Channel.from_grid(h, 10.0), primary


def _design(cap: object, uses: int = 1) -> tuple[ll.SemanticModes, ll.Channel, torch.Tensor, object]:
    modes, channel, primary = _case(uses=uses)
    return modes, channel, primary, ll.ClosedForm(leakage=[ll.power.Leakage(primary, cap)]).design(modes, channel)


@pytest.mark.parametrize(("uses", "snr_db"), [(4, 10.0), (8, 10.0), (1, 60.0)])
def test_the_gap_closes_where_singular_values_tie_at_the_maximum(uses, snr_db):
    """Gaps of several percent were left open for a quarter of the channels whose uses differ."""
    source = torch.Generator().manual_seed(5)
    h = ll.rayleigh(2, 2, batch=(10, uses), generator=source).to(torch.complex128)
    primary = ll.rayleigh(1, 2, batch=(10, uses), generator=source).to(torch.complex128)
    modes, channel = _case()[0], ll.Channel.from_grid(h, snr_db)
    solution = ll.ClosedForm(leakage=[ll.power.Leakage(primary, 0.5)]).design(modes, channel)
    assert solution.status_names() == ["optimal"]
    assert bool((solution.trace["gap"] <= 1e-4).all())
    assert bool((solution.trace["leakage"] <= 0.5 * (1 + 1e-9)).all())


def test_no_modes_and_errors_of_channels():
    modes, channel, primary = _case()
    design = ll.ClosedForm(leakage=[ll.power.Leakage(primary, 0.1)])
    assert design.design(modes.truncated(0), channel).status_names() == ["nothing to send"]
    estimated = channel.estimated(0.1, generator=0)
    found = design.design(modes, estimated)
    spent = found.trace["stream_power"].sum(-1)
    assert torch.equal(found.status == ll.Status.OPTIMAL.code, spent >= 1 - 1e-4)  # τ P is the noise at full power


@pytest.mark.parametrize("uses", [1, 2])
def test_the_gap_closes_and_limits_hold(uses):
    before = None
    for cap in CAPS:
        _, channel, _, solution = _design(cap, uses)
        assert solution.status_names() == ["optimal"]
        assert bool((solution.trace["gap"] <= 1e-4).all())
        assert bool((solution.trace["leakage"] <= cap * (1 + 1e-9)).all())
        assert bool((solution.trace["bound"] <= solution.trace["error"] * (1 + 1e-12)).all())
        assert bool((solution.transceiver.stream_gram().diagonal(dim1=-2, dim2=-1).sum(-1) <= channel.uses * (1 + 1e-9)).all())
        assert before is None or bool((solution.trace["error"] <= before * (1 + 1e-6)).all())
        before = solution.trace["error"]


def test_without_a_limit_it_is_the_closed_form_and_with_a_limit_of_zero_that_of_the_null_space():
    modes, channel, primary = _case()
    plain = ll.ClosedForm().design(modes, channel)
    for cap in (torch.inf, 100.0):
        found = ll.ClosedForm(leakage=[ll.power.Leakage(primary, cap)]).design(modes, channel)
        torch.testing.assert_close(found.expected_mse, plain.expected_mse, rtol=1e-10, atol=0.0)
    _, _, Vh = torch.linalg.svd(primary)
    quiet = Vh[..., 2:, :].mH  # (…, 4, 2): what two antennas do not receive
    nulled = ll.ClosedForm().design(modes, ll.Channel(channel.h @ quiet, channel.noise_variance, channel.power))
    found = ll.ClosedForm(leakage=[ll.power.Leakage(primary, 0.0)]).design(modes, channel)
    torch.testing.assert_close(found.expected_mse, nulled.expected_mse, rtol=1e-9, atol=0.0)
    assert float(found.trace["leakage"].max()) < 1e-12
    nearly = ll.ClosedForm(leakage=[ll.power.Leakage(primary, 1e-9)]).design(modes, channel)
    torch.testing.assert_close(nearly.expected_mse, nulled.expected_mse, rtol=1e-3, atol=0.0)


def test_nothing_feasible_is_below_the_bound():
    modes, channel, primary, solution = _design(0.1)
    source = torch.Generator().manual_seed(1)
    link = solution.transceiver
    limit = ll.power.Leakage(primary, 0.1)
    S = limit.correlation(channel)
    for size in (1e-3, 0.1, 3.0):
        F = link.precoder.squeeze(-3)
        F = F + size * torch.randn(F.shape, dtype=F.dtype, generator=source)
        over = torch.maximum(F.square().sum((-2, -1)), ((S @ F) * F).sum((-2, -1)) / 0.1)
        F = F / over.sqrt()[..., None, None]
        other = modes.transceiver(channel, link.streams, F.unsqueeze(-3))
        assert bool((link_mse(modes, other) >= solution.trace["bound"] * (1 - 1e-9)).all())
    plain = ll.ClosedForm().design(modes, channel).transceiver
    leak = ((S @ plain.precoder.squeeze(-3)) * plain.precoder.squeeze(-3)).sum((-2, -1))
    scaled = plain.scaled((0.1 / leak).clamp(max=1.0))
    assert bool((link_mse(modes, scaled) >= solution.expected_mse * (1 - 1e-9)).all())


def test_batches_precision_two_primaries_and_dead_channels():
    modes, channel, primary, solution = _design(0.1)
    alone = ll.ClosedForm(leakage=[ll.power.Leakage(primary[2], 0.1)]).design(modes, channel[2])
    torch.testing.assert_close(alone.expected_mse, solution.expected_mse[2], rtol=1e-9, atol=0.0)
    single = ll.ClosedForm(leakage=[ll.power.Leakage(primary, 0.1)]).design(modes.to(torch.float32), channel)
    torch.testing.assert_close(single.expected_mse.double(), solution.expected_mse, rtol=1e-4, atol=0.0)
    several = [ll.power.Leakage(primary[..., :1, :], 0.05), ll.power.Leakage(primary[..., 1:, :], torch.linspace(0, 0.1, 8))]
    both = ll.ClosedForm(leakage=several).design(modes, channel)
    assert both.status_names() == ["optimal"]
    assert bool((both.trace["leakage"] <= torch.stack([torch.full((8,), 0.05), torch.linspace(0, 0.1, 8)], -1) + 1e-8).all())
    dead = ll.ClosedForm(leakage=several).design(modes, ll.Channel(0 * channel.h, channel.noise_variance))
    assert dead.status_names() == ["nothing to send"]
    torch.testing.assert_close(dead.expected_mse, modes.variance.expand(8))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda h: ll.power.Leakage(h.real, 0.1), "complex"),
        (lambda h: ll.power.Leakage(h, -0.1), "cap"),
        (lambda h: ll.power.Leakage(h, torch.nan), "cap"),
        (lambda h: ll.power.Leakage(h[..., :3], 0.1).correlation(_case()[1]), "transmit antennas"),
        (lambda h: ll.ClosedForm(leakage=[ll.power.Leakage(h, 0.1)], power=ll.power.PerUse()).design(*_case()[:2]), "leakage"),
        (lambda h: ll.ClosedForm(leakage=[0.1]), "leakage"),
    ],
)
def test_what_does_not_fit_is_refused(made, says):
    with pytest.raises(ValueError, match=says):
        made(_case()[2])
