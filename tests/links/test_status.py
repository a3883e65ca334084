"""Statuses: the package's are its own, everybody else's may be declared again, as a notebook does."""

import pytest
import torch

import latentlink as ll


def test_a_cell_that_is_run_again_declares_its_status_anew():
    first = ll.Status("of a notebook", "one sentence.")
    edited = ll.Status("of a notebook", "another sentence.")
    assert ll.Status.of(first.code) == edited


def test_the_status_of_the_package_is_not_taken_over():
    with pytest.raises(ValueError, match="name must differ"):
        ll.Status("optimal", "mine is better.")
    assert ll.Status("optimal", ll.Status.OPTIMAL.message) == ll.Status.OPTIMAL
    assert ll.Status.of(ll.Status.OPTIMAL.code).message == ll.Status.OPTIMAL.message


def test_codes_fit_int32_and_are_found_from_tensors():
    for status in (ll.Status.OPTIMAL, ll.Status.BASELINE, ll.Status.NOTHING_TO_SEND):
        codes = torch.full((2,), status.code, dtype=torch.int32)
        assert ll.Status.of(codes[0]) == status
    with pytest.raises(ValueError, match="got 5"):
        ll.Status.of(5)
