"""Namespaces offer their names and nothing else, by attribute and by import."""

import importlib

import pytest

import latentlink as ll

SPACES = (
    "power",
    "csi",
    "budget",
    "channels",
    "tr38901",
    "alignment",
    "living",
    "networks",
    "surfaces",
    "nonlinear",
    "bounds",
    "baselines",
    "digital",
    "metrics",
    "objectives",
    "studies",
    "data",
    "execution",
    "nn",
    "deploy",
)


@pytest.mark.parametrize("name", SPACES)
def test_a_namespace_is_a_module_that_lists_its_names_only(name):
    """`from latentlink.tr38901 import Model` failed, and editors completed the imports of `ll.power`."""
    module = importlib.import_module(f"latentlink.{name}")
    assert module is getattr(ll, name)
    assert sorted(dir(module)) == sorted(module.__all__)
    assert all(hasattr(module, word) for word in module.__all__)
