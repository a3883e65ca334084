"""The API reference of the site has an entry for every public name, without a list that somebody keeps."""

import re
import sys
from functools import cache
from pathlib import Path

import pytest

import latentlink as ll
from laws.test_namespaces import SPACES

EXTENSIONS = Path(__file__).parents[2] / "docs" / "extensions"


@cache
def reference():
    """The module that writes the sources of the reference."""
    sys.path.insert(0, str(EXTENSIONS))
    try:
        import api_pages
    finally:
        sys.path.remove(str(EXTENSIONS))
    return api_pages


@pytest.fixture(scope="module")
def pages():
    return reference().pages()


def test_every_public_name_has_an_entry_and_a_line_in_the_table_of_its_namespace(pages):
    homes = reference().entries()
    assert len(homes) > 150
    for full, home in homes.items():
        module, _, name = home.rpartition(".")
        directive = r"^\.\. (autoclass|autofunction|py:data):: (\w+)$"
        assert re.findall(directive, pages[home], re.MULTILINE)[0][1] == name, full
        assert f".. currentmodule:: {module}\n" in pages[home], full
        assert f" <{home}>`" in pages[full.rpartition(".")[0]], full


def test_every_namespace_is_in_the_index(pages):
    assert {f"latentlink.{name}" for name in (*SPACES, "execution")} <= set(pages)
    for name in reference().namespaces():
        assert f"   latentlink.{name}\n".replace(".\n", "\n") in pages["index"]


def test_every_page_is_reached_from_its_namespace(pages):
    reached = {name for text in pages.values() for name in re.findall(r"^   .*<(latentlink\.[\w.]+)>$", text, re.MULTILINE)}
    spaces = {f"latentlink.{name}".rstrip(".") for name in reference().namespaces()}
    assert set(pages) - {"index"} - spaces == reached


def test_a_new_public_name_appears_by_itself(monkeypatch):
    monkeypatch.setattr(ll.bounds, "fresh", lambda: None, raising=False)
    monkeypatch.setattr(ll.bounds, "__all__", [*ll.bounds.__all__, "fresh"])
    assert ".. autofunction:: fresh" in reference().pages()["latentlink.bounds.fresh"]


def test_docstrings_become_markup_without_accidents():
    reference()
    sys.path.insert(0, str(EXTENSIONS))
    try:
        from docstring_markup import to_restructured
    finally:
        sys.path.remove(str(EXTENSIONS))
    lines = ["Minimise E||s||² over `F`, as in [palomar2003joint].", "", "    A = B*C", "", "Args:", "    x: the latent x_ of F*."]
    assert to_restructured(lines) == [
        r"Minimise E\|\|s\|\|² over `F`, as in :cite:p:`palomar2003joint`.",
        "",
        ".. code-block:: text",
        "",
        "    A = B*C",
        "",
        "Args:",
        r"    x: the latent x\_ of F\*.",
    ]
