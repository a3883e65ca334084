"""The scripts of the gallery and of the tutorials: cheap laws on all of them, and one of them runs; the site's build runs them all."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

import latentlink as ll

DOCS = Path(__file__).parents[2] / "docs"
GALLERY = sorted((DOCS / "gallery").glob("*.py"))
TUTORIALS = sorted((DOCS / "tutorials").glob("*.py"))
SCRIPTS = GALLERY + TUTORIALS
FASTEST = DOCS / "tutorials" / "plot_5_own_method.py"
FORBIDDEN = {
    r"\bsavefig\b": "the site takes the figure from pyplot",
    r"\bwarnings\.|filterwarnings": "a warning is a mistake of the script or of the package",
    r"https?://|urlopen|urlretrieve": "scripts run without a network",
    r"fashion|cifar|timm:": "scripts need no data that the package does not bring along",
    r"matplotlib\.use": "the backend is up to the reader",
    r"# noqa|# type: ignore": "nothing is hidden from linters",
    r"/work/|/home/|/tmp/": "paths of one machine",
    r"sys\.path": "an installed package needs no path",
}


def name(script: Path) -> str:
    return f"{script.parent.name}/{script.stem}"


def tree(script: Path) -> ast.Module:
    return ast.parse(script.read_text(encoding="utf-8"))


def calls(script: Path) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree(script)) if isinstance(node, ast.Call)]


def test_there_are_enough_of_them_and_all_are_run():
    assert len(GALLERY) >= 12
    assert len(TUTORIALS) == 6
    assert all(script.name.startswith("plot_") for script in SCRIPTS)  # what sphinx-gallery runs by default
    assert all((folder / "GALLERY_HEADER.rst").is_file() for folder in (DOCS / "gallery", DOCS / "tutorials"))


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_begins_with_a_title_and_a_paragraph(script):
    docstring = ast.get_docstring(tree(script))
    assert docstring is not None
    title, underline, empty, *paragraph = docstring.splitlines()
    assert underline == "=" * len(title)
    assert empty == ""
    assert len(" ".join(paragraph)) > 150  # what the example is about, which the overview shows too
    assert title.endswith("?") == (script in GALLERY)  # an example of the gallery answers one question


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_draws_one_figure_with_names_on_its_axes_and_shows_it(script):
    made = [call for call in calls(script) if call in ("plt.figure", "plt.subplots", "plt.subplot_mosaic")]
    assert made == ["plt.subplots"]
    assert calls(script).count("plt.show") == 1
    source = script.read_text(encoding="utf-8")
    assert "xlabel=" in source
    assert "ylabel=" in source
    assert 'layout="constrained"' in source


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_every_heading_has_an_underline_of_its_length(script):
    lines = script.read_text(encoding="utf-8").splitlines()
    blocks = [number for number, line in enumerate(lines) if line.startswith("# %%")]
    assert len(blocks) >= 3
    for number in blocks:
        heading, underline = lines[number + 1 : number + 3]
        if re.fullmatch(r"# [-=]+", underline):
            assert len(underline) == len(heading)
        else:
            assert len(heading) > 20  # a paragraph without a heading


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_uses_public_names_only(script):
    for node in ast.walk(tree(script)):
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("latentlink"), f"{node.module}: write ll.… instead"
        elif isinstance(node, ast.Import):
            assert all(alias.name == "latentlink" and alias.asname == "ll" for alias in node.names if "latentlink" in alias.name)
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), ast.unparse(node)
            dotted = re.fullmatch(r"ll\.(\w+)(?:\.(\w+))?", ast.unparse(node))
            if dotted is not None:
                outer, inner = dotted.groups()
                assert outer in ll.__all__
                if inner is not None and isinstance(getattr(ll, outer), ModuleType):
                    assert inner in dir(getattr(ll, outer)), ast.unparse(node)


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_does_nothing_that_a_reader_should_not_copy(script):
    source = script.read_text(encoding="utf-8")
    for pattern, reason in FORBIDDEN.items():
        found = re.search(pattern, source, re.IGNORECASE)
        assert found is None, f"{found.group() if found else ''}: {reason}"


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_whatever_is_random_has_a_seed(script):
    source = script.read_text(encoding="utf-8")
    for node in ast.walk(tree(script)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("ll.rayleigh", "ll.evaluate", "ll.transmit"):
            assert "generator" in [keyword.arg for keyword in node.keywords]
    if re.search(r"torch\.rand|nn\.Linear", source):
        assert "manual_seed" in source


def test_a_script_runs_from_any_folder_without_a_warning(tmp_path, digits_forge):
    code = f'import runpy, warnings; warnings.simplefilter("error", UserWarning); runpy.run_path({str(FASTEST)!r}, run_name="__main__")'
    done = digits_forge.run(code, folder=tmp_path, env={"MPLBACKEND": "agg"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
