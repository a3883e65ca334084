"""One surface for a network: no worse than the design without phases, and the single link's where there is one."""

import re

import pytest
import torch

import latentlink as ll
import network_cases as cases

nw, surfaces = ll.networks, ll.surfaces


def _table(receivers: int, transmitters: int, uses: int = 1, elements: int = 8) -> list[list["surfaces.Surface"]]:
    source = torch.Generator().manual_seed(0)

    def drawn(r: int, t: int, amplitude: float) -> torch.Tensor:
        return amplitude * ll.rayleigh(r, t, batch=(2, uses), generator=source).to(torch.complex128)

    incident = [drawn(elements, 2, 1.0) for _ in range(transmitters)]
    reflected = [drawn(2, elements, 0.3) for _ in range(receivers)]
    return [[surfaces.Surface(drawn(2, 2, 0.3), incident[t], reflected[k]) for t in range(transmitters)] for k in range(receivers)]


CASES = {
    "broadcast": (nw.Broadcast(starts=2), 3, 1),
    "interference": (nw.Cooperative(starts=1, steps=20, polish=20), 2, 2),
    "sensors": (nw.MultipleAccess(starts=1, steps=20, polish=20), 1, 2),
}


@pytest.mark.parametrize(("kind", "uses"), [("broadcast", 2), ("interference", 1), ("sensors", 1)])
def test_phases_help_the_whole_network(kind, uses):
    by, *size = CASES[kind]
    table, modes = _table(*size, uses), cases.modes(kind, size[0])
    zero = nw.Links.from_snr([[each.matrix(torch.zeros(8)) for each in row] for row in table], 10.0)
    before = by.design(modes, zero).trace["objective"]
    fine, coarse = (nw.SharedSurface(by=by, bits=bits, starts=1, steps=15).design(modes, table, 10.0) for bits in (None, 2))
    assert bool((fine.solution.trace["objective"] < 0.9 * before).all())
    assert bool((fine.solution.trace["objective"] <= coarse.solution.trace["objective"] * (1 + 1e-6)).all())
    levels = coarse.phases / (torch.pi / 2)
    torch.testing.assert_close(levels, levels.round(), rtol=0.0, atol=1e-9)
    alone = nw.SharedSurface(by=by, starts=1, steps=15).design(modes, [[_member(each, 1) for each in row] for row in table], 10.0)
    # rounding turns long ways of L-BFGS
    torch.testing.assert_close(alone.solution.trace["objective"], fine.solution.trace["objective"][1], rtol=0.05, atol=0.0)


def _member(surface: "surfaces.Surface", number: int) -> "surfaces.Surface":
    return surfaces.Surface(surface.direct[number], surface.incident[number], surface.reflected[number])


def test_for_one_user_it_is_the_surface_of_a_link():
    modes, table = cases.modes("broadcast", 1), _table(1, 1)
    shared = nw.SharedSurface(by=nw.Broadcast(), starts=3).design(modes, table, 10.0)
    link = surfaces.SurfaceDesign(starts=3).design(modes.pair(0), table[0][0], 10.0)
    torch.testing.assert_close(shared.solution.trace["objective"], link.trace["objective"], rtol=0.02, atol=0.0)


def test_a_stack_of_layers_at_the_transmitter_serves_all_users():
    """All users share the layers and differ in the paths after the last one; one layer is a surface without direct paths."""
    source = torch.Generator().manual_seed(0)

    def drawn(r: int, t: int) -> torch.Tensor:
        return 0.5 * ll.rayleigh(r, t, batch=(2, 1), generator=source).to(torch.complex128)

    first, between, last = drawn(6, 2), drawn(6, 6), [drawn(2, 6) for _ in range(3)]
    by, modes = nw.Broadcast(starts=2), cases.modes("broadcast")
    stacks = [[surfaces.StackedSurface([first, between, each])] for each in last]
    zero = nw.Links.from_snr([[stack.matrix(torch.zeros(12))] for (stack,) in stacks], 10.0)
    found = nw.SharedSurface(by=by, starts=1, steps=15).design(modes, stacks, 10.0)
    assert bool((found.solution.trace["objective"] < 0.9 * by.design(modes, zero).trace["objective"]).all())
    one = [[surfaces.StackedSurface([first, each])] for each in last]
    same = [[surfaces.Surface(torch.zeros(2, 1, 2, 2, dtype=torch.complex128), first, each)] for each in last]
    a, b = (nw.SharedSurface(by=by, starts=1, steps=15).design(modes, table, 10.0).solution.trace["objective"] for table in (one, same))
    torch.testing.assert_close(a, b, rtol=1e-6, atol=0.0)


def test_tables_that_do_not_fit_are_refused():
    table = _table(2, 1)
    table[1][0] = _table(1, 1, elements=5)[0][0]
    with pytest.raises(ValueError, match=r"surfaces must have one number of elements, .* got \["):
        nw.SharedSurface(by=nw.Broadcast()).design(cases.modes("broadcast", 2), table, 10.0)
    for ragged, rows in (([table[0], table[0] * 2], [1, 2]), ([], []), ([[], []], [0, 0])):
        with pytest.raises(ValueError, match=re.escape(f"[receiver][transmitter], got rows of {rows} surfaces")):
            nw.SharedSurface(by=nw.Broadcast()).design(cases.modes("broadcast", 2), ragged, 10.0)
    with pytest.raises(ValueError, match="by"):
        nw.SharedSurface(by=ll.ClosedForm())
