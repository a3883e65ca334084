"""Code outside of the package, named in study files by module:attribute."""

import json
import re
import sys
import textwrap
import types

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.studies.result_files import Results
from latentlink.studies.running.runner import Runner
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.plug_in import load_attribute
from latentlink.studies.spec.reading import make_study, read_study
from one_cause import latents_of_one_cause
from studies.examples import write_study

PRECODER = """
    import latentlink as ll

    class Scaled:
        label = "my precoder"

        def __init__(self, strength=1.0, seed=0):
            self.strength, self.seed = strength, seed

        def design(self, known, channel):
            assert self.seed > 0 and len(known.pilots) == known.moments.count and known.head is not None
            return ll.ClosedForm().design(known.modes(), channel)

    class Broken(Scaled):
        def design(self, known, channel):
            raise ArithmeticError("division by cucumber")

    class NoSolution(Scaled):
        def design(self, known, channel):
            return None

    class Undesigned:
        pass

    NUMBER = 3
"""
CHANNELS = """
    import torch

    def draw(*, draws, uses, n_rx, n_tx, gain, generator):
        real, imaginary = torch.randn(2, draws, n_rx, n_tx, generator=generator, dtype=torch.float64)
        return (gain / 2) ** 0.5 * torch.complex(real, imaginary)

    def flat(**settings):
        return torch.ones(2)
"""
FAST = {"seeds": [1], "snr": {"snr_db": 10}, "channel": {"antennas": 2}, "references": False}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def lab(tmp_path, request):
    """Writes a module beside the study file and returns its name, another one for each test."""

    def write(source, name=None):
        name = name or f"lab_{abs(hash(request.node.nodeid))}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        return name

    return write


def run(path):
    study, reasons = read_study(path), {}
    results = Results(path.parent / "results")
    Runner(results, 1).run(cells(study), lambda cell, reason: reasons.setdefault(cell.method.title, reason))
    return results, results.table(study, cells(study)), reasons


def test_a_method_of_ones_own_stands_beside_the_package_s(tmp_path, lab):
    methods = [{"name": f"{lab(PRECODER)}:Scaled", "strength": [1.0, 2.0]}, {"name": "closed-form"}]
    _, rows, reasons = run(write_study(tmp_path, methods=methods, **FAST))
    assert not any(reasons.values())
    mine, exact = rows.filter(family="own"), rows.filter(family="exact")
    assert mine["method"].unique().to_list() == ["my precoder"]
    assert len(mine) == 2
    assert mine["mse"].to_list() == exact["mse"].to_list() * 2
    assert mine["power"].is_between(0.995, 1.005).all()
    assert mine["flops"].is_not_null().all()
    assert set(ll.studies.summarise(rows)["method"]) == {"my precoder (strength 1.0)", "my precoder (strength 2.0)", "exact, widely linear"}


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("Broken", "ArithmeticError: division by cucumber"),
        ("NoSolution", "what design returns must be a Solution, such as"),
    ],
)
def test_an_error_in_ones_own_code_is_told_as_such_and_costs_its_own_cells_only(tmp_path, lab, method, words):
    name = lab(PRECODER)
    results, rows, reasons = run(write_study(tmp_path, methods=[{"name": f"{name}:{method}"}, {"name": "first-k"}], **FAST))
    assert rows["method"].unique().to_list() == ["First-K"]
    assert f"{name}:{method}" in reasons["my precoder"]
    assert words in reasons["my precoder"]
    (failure,) = (results.folder / "cells").glob("*.error.txt")
    if method == "Broken":
        assert f"{name}.py" in reasons["my precoder"]
        assert 'raise ArithmeticError("division by cucumber")' in failure.read_text()


@pytest.mark.parametrize(
    ("method", "complaint"),
    [
        ({"name": "no_such_lab.precoder:Mine"}, r"methods\.0\.name: 'no_such_lab\.precoder:Mine': there is no module 'no_such_lab'"),
        ({"name": "LAB:Missing"}, "has no attribute 'Missing'; it has Scaled, Broken"),
        ({"name": "LAB:Scaled", "strenght": 2}, r"methods\.0 .*LAB:Scaled.*unexpected keyword argument 'strenght'.*strength=1\.0"),
        ({"name": "LAB:NUMBER"}, "must be a class with design"),
        ({"name": "LAB:Undesigned"}, r"must be a class with design\(known, channel\)"),
        ({"name": "LAB:"}, "should match pattern"),
    ],
)
def test_wrong_names_and_parameters_are_told_before_anything_runs(tmp_path, lab, method, complaint):
    name = lab(PRECODER)
    path = write_study(tmp_path, methods=[{**method, "name": method["name"].replace("LAB", name)}], **FAST)
    with pytest.raises(ValueError, match=complaint.replace("LAB", name)):
        cells(read_study(path))


def test_a_module_that_fails_to_import_is_shown_with_its_traceback(tmp_path, lab):
    name = lab("1 / 0")
    with pytest.raises(ValueError, match=rf"importing {name} failed\n.*{name}\.py.*\n.*1 / 0[\s\S]*ZeroDivisionError"):
        cells(read_study(write_study(tmp_path, methods=[{"name": f"{name}:Mine"}], **FAST)))


def test_changed_code_makes_other_cells(tmp_path, lab):
    name = lab(PRECODER)
    path = write_study(tmp_path, methods=[{"name": f"{name}:Scaled"}], **FAST)
    (before,) = cells(read_study(path))
    assert cells(read_study(path))[0].id == before.id
    lab(PRECODER.replace("strength=1.0", "strength=1.5"), name)
    assert cells(read_study(path))[0].id != before.id


LOUD = """
    import latentlink as ll
    from my_helpers import word

    class Mine:
        def design(self, known, channel):
            print("ran", word(), "in VERSION")
            return ll.ClosedForm().design(known.modes(), channel)
"""
HELPERS = "def word(): return 'HELP'"


def write_lab(folder, version, helps):
    folder.mkdir(exist_ok=True)
    (folder / "my_precoder.py").write_text(textwrap.dedent(LOUD.replace("VERSION", version)))
    (folder / "my_helpers.py").write_text(HELPERS.replace("HELP", helps))
    return write_study(folder, methods=[{"name": "my_precoder:Mine"}], **FAST)


def test_the_code_that_runs_is_that_of_the_files_as_the_study_was_read(tmp_path, capsys):
    path, before = write_lab(tmp_path / "a", "v1", "h1"), list(sys.path)
    for change in ({}, {"version": "v2"}, {"helps": "h2"}):
        now = {"version": "v1", "helps": "h1", **change}
        write_lab(tmp_path / "a", **now)
        ll.studies.run(path, jobs=1, output=tmp_path / "results")
        assert f"ran {now['helps']} in {now['version']}" in capsys.readouterr().out
    read = ll.studies.read_study(path)
    write_lab(tmp_path / "a", "v3", "h3")
    ll.studies.run(read, jobs=1, output=tmp_path / "again")
    assert "ran h2 in v1" in capsys.readouterr().out
    other = write_lab(tmp_path / "b", "theirs", "hb")
    ll.studies.run(other, jobs=1, output=tmp_path / "results")
    assert "ran hb in theirs" in capsys.readouterr().out
    assert sys.path == before


def test_a_name_of_the_package_is_its_own_object():
    assert load_attribute("latentlink.tasks.objectives:Regression") is ll.objectives.Regression


NOTEBOOK = """
    import latentlink as ll
    FACTOR = 1
    def helper():
        return FACTOR
    class Mine:
        label = "mine"
        def design(self, known, channel):
            print("ran", helper(), "in v1")
            return ll.ClosedForm().design(known.modes(), channel)
"""


def test_a_class_of_a_notebook_is_identified_by_its_code_and_what_it_uses(tmp_path, monkeypatch, capsys):
    path = write_study(tmp_path, methods=[{"name": "__main__:Mine"}], **FAST)
    seen = {}
    for cell in (NOTEBOOK, NOTEBOOK.replace("v1", "v2"), NOTEBOOK.replace("= 1", "= 2"), "\n\n" + NOTEBOOK):
        notebook = types.ModuleType("__main__")  # as in a notebook, and with `python -`: without a file
        exec(textwrap.dedent(cell), vars(notebook))
        monkeypatch.setitem(sys.modules, "__main__", notebook)
        ll.studies.run(path, jobs=1, output=tmp_path / "results")
        seen[cell] = capsys.readouterr().out.splitlines()[:1]
    assert list(seen.values()) == [["ran 1 in v1"], ["ran 1 in v2"], ["ran 2 in v1"], []]  # the last is the first on other lines


def test_a_channel_model_of_ones_own_is_met_by_all_methods(tmp_path, lab):
    name = lab(CHANNELS)
    path = write_study(tmp_path, **{**FAST, "channel": {"model": f"{name}:draw", "antennas": 2, "draws": 5, "uses": 2}})
    _, rows, reasons = run(path)
    assert not any(reasons.values())
    assert rows["channel_model"].unique().to_list() == [f"{name}:draw"]
    assert rows.group_by("method").agg(pl.col("opta").sum()).n_unique("opta") == 1
    with pytest.raises(ValueError, match=r"csi\.known must be perfect or unaware"):
        cells(read_study(path, ("csi.known=both-ends",)))
    _, _, reasons = run(write_study(tmp_path, **{**FAST, "channel": {"model": f"{name}:flat", "antennas": 2}}))
    assert all(f"{name}:flat cannot be used: ValueError: expected matrices of shape (1, 1, 2, 2)" in reason for reason in reasons.values())


def test_an_objective_of_ones_own_trains_a_codec(tmp_path, lab):
    name = lab("""
        from latentlink.tasks.objectives import Regression

        def Mine(head):
            return Regression(head)
    """)
    codec = {"name": "codec", "objective": f"{name}:Mine", "rounds": 1, "width": 8, "modes": 7, "max_symbols": 2}
    methods = [{**codec, "draws": {"antennas": [1, 2], "uses": [1]}}]
    (cell,) = cells(read_study(write_study(tmp_path, methods=methods, **FAST)))
    assert cell.method.title == "codec, Mine"
    known = Runner(Results(tmp_path / "r")).scenario(cell).known(cell.pilots, cell.seed)
    assert type(cell.method.inputs(known)[2]).__name__ == "Regression"


IMAGES = """
    import torch
    import latentlink as ll
    from latentlink.data import ImageSet, from_callable

    def load(split):
        generator = torch.Generator().manual_seed(len(split))
        labels = torch.arange(120) % 3
        pictures = 60 * labels[:, None, None] + torch.randint(0, 60, (120, 8, 8), generator=generator)
        return ImageSet(f"squares-{split}", pictures.to(torch.uint8), labels, ("a", "b", "c"))

    def lost(split):
        raise FileNotFoundError("the disk is not plugged in")

    def encoder():
        return from_callable("pixels", lambda images: images.flatten(1).float() / 255, 64, "1")
"""


def test_data_and_encoders_of_ones_own(tmp_path, lab):
    name = lab(IMAGES)
    content = {
        "data": {"dataset": f"{name}:load", "test": None},
        "encoders": {"transmitter": f"{name}:encoder", "receiver": f"{name}:encoder"},
    }
    content |= {"name": "own", "methods": [{"name": "closed-form"}], **FAST}
    path = tmp_path / "own.yaml"
    path.write_text(json.dumps(content))
    _, rows, reasons = run(path)
    assert not any(reasons.values())
    assert rows["transmitter"].to_list() == ["pixels"]
    assert rows["dataset"].to_list() == ["squares"]
    both = (f"data.dataset='{name}:load','{name}:lost'",)
    study = read_study(path, both)
    reasons = []
    Runner(Results(tmp_path / "lost"), 1).run(cells(study), lambda cell, reason: reasons.append(reason))
    assert sorted(bool(reason) for reason in reasons) == [False, True]
    assert f"{name}:lost raised FileNotFoundError: the disk is not plugged in" in max(reasons)


BROKEN = (
    IMAGES
    + """
    def of(function):
        return from_callable("pixels", function, 64, "1")

    def raising():
        def fail(images):
            return images.no_such_thing
        return of(fail)

    five = of(lambda images: 5)
    wide = of(lambda images: images.flatten(1)[:, :3].float())
    nan = of(lambda images: images.flatten(1).float() * float("nan"))

    def nothing(size=1):
        return None

    def no_set(split):
        return torch.zeros(3, 8, 8)

    def unlabelled(split):
        return ImageSet(f"squares-{split}", torch.zeros(120, 8, 8, dtype=torch.uint8), torch.zeros(120).long(), ("a", "b"))
"""
)


def test_broken_encoders_and_data_sets_of_ones_own_cost_their_own_cells_only(tmp_path, lab):
    name = lab(BROKEN)
    transmitters = ("encoder", "raising", "five", "wide", "nan", "nothing")
    content = {
        "data": {"dataset": [f"{name}:load", f"{name}:no_set", f"{name}:lost"], "test": None},
        "encoders": {"transmitter": [f"{name}:{each}" for each in transmitters], "receiver": f"{name}:encoder"},
    }
    path, calls = tmp_path / "own.yaml", []
    path.write_text(json.dumps(content | {"name": "own", "methods": [{"name": "closed-form"}, {"name": "first-k"}], **FAST}))
    study, reasons = read_study(path), {}
    runner = Runner(Results(tmp_path / "results"), 1, progress=lambda *done: calls.append(done))
    runner.run(cells(study), lambda cell, reason: reasons.setdefault((cell.data.dataset, cell.encoders.transmitter), set()).add(reason))
    assert reasons.pop((f"{name}:load", f"{name}:encoder")) == {""}
    assert len(reasons) == 17
    words = {
        "raising": rf"{name}:raising raised AttributeError: .*no_such_thing.*{name}\.py:\d+\)",
        "five": rf"{name}:five cannot be used: ValueError: encoder pixels must return real",
        "wide": rf"{name}:wide cannot be used: ValueError: encoder pixels must return real",
        "nan": rf"{name}:nan cannot be used: ValueError: latents has NaN",
        "nothing": rf"{name}:nothing cannot be used: ValueError: encoder must be an Encoder",
    }
    for each, phrase in words.items():
        (reason,) = reasons[f"{name}:load", f"{name}:{each}"]
        assert re.search(phrase, reason)
    for each, phrase in (("no_set", "must be an ImageSet.*got Tensor"), ("lost", "raised FileNotFoundError")):
        (reason,) = reasons[f"{name}:{each}", f"{name}:encoder"]
        assert re.search(f"{name}:{each} .*{phrase}", reason)
    failures = list((tmp_path / "results" / "cells").glob("*.error.txt"))
    assert len(failures) == 34
    assert any("images.no_such_thing" in failure.read_text() for failure in failures)


def test_changed_encoders_give_other_latents(tmp_path, lab):
    name, found = lab(IMAGES), []
    content = {"data": {"dataset": f"{name}:load"}, "encoders": {"transmitter": f"{name}:encoder", "receiver": f"{name}:encoder"}}
    for factor in ("255", "100"):  # its author left the version as it was
        lab(IMAGES.replace("255", factor), name)
        study = make_study(content | {"name": "own", "methods": [{"name": "closed-form"}], **FAST}, folder=tmp_path)
        found.append(Runner(Results(tmp_path / "results")).scenario(cells(study)[0]).test.x)
    assert torch.equal(found[1], 2.55 * found[0]) or torch.allclose(found[1], 2.55 * found[0])


LINKS = """
    import torch
    import latentlink as ll

    class Bare:
        def __init__(self, m, channel):
            self.m, self.channel = m, channel

        def encode(self, x):
            batch = len(self.channel.h)
            return torch.view_as_complex(x[:, :4].float().reshape(len(x), 1, 2, 2).contiguous()).expand(batch, -1, -1, -1)

        def decode(self, r):
            read = torch.view_as_real(r).flatten(-3)
            return torch.cat([read, read.new_zeros(*read.shape[:-1], self.m - 4)], -1)

    class Mine:
        link, code, mse = Bare, ll.Status.BASELINE.code, None

        def design(self, known, channel):
            count = len(channel.h)
            mse = None if self.mse is None else torch.full((count,), self.mse)
            return ll.Solution(self.link(known.pilots.y.shape[1], channel), torch.full((count,), self.code), mse, torch.ones(count))

    class Nan(Mine):
        mse = float("nan")

    class Unknown(Mine):
        code = 12345

    class Failing(Bare):
        def decode(self, r):
            return r.no_such_thing

    class Fails(Mine):
        link = Failing

    class OneOfAll(Mine):
        def design(self, known, channel):
            return super().design(known, channel[:1])

    class Exact(Mine):
        def design(self, known, channel):
            return ll.ClosedForm().design(known.modes(), channel[:1])

    class NoMatter(Mine):
        def design(self, known, channel):
            from dataclasses import replace
            return replace(super().design(known, channel), expected_power=torch.tensor(1.0))

    class WithoutBatch(Bare):
        def decode(self, r):
            return super().decode(r)[0]

    class Lost(Mine):
        link = WithoutBatch

    class NotFinite(Bare):
        def decode(self, r):
            return super().decode(r) * float("nan")

    class NotNumbers(Mine):
        link = NotFinite

    class Silent(Bare):
        def encode(self, x):
            return super().encode(x)[:, 1:]

    class Omits(Mine):
        link = Silent

    def function(known, channel):
        pass
"""


def test_a_solution_of_a_bare_object_is_measured_and_what_is_wrong_with_it_is_told_as_its_own(tmp_path, lab):
    name = lab(LINKS)
    methods = [{"name": f"{name}:{each}", "label": each} for each in ("Mine", "Nan", "Unknown", "Fails", "Lost", "NotNumbers", "Omits")]
    path = write_study(tmp_path, methods=methods, **{**FAST, "metrics": ["accuracy", "mse", "power", "flops", "latency", "papr"]})
    _, rows, reasons = run(path)
    assert not reasons["Mine"]
    assert rows["method"].to_list() == ["Mine"]
    assert rows["flops"].to_list() == rows["expected_mse"].to_list() == [None]
    assert rows["power"].is_between(0, 1e6).all()
    assert f"{name}:Nan cannot be used: ValueError: expected_mse has NaN" in reasons["Nan"]
    assert f"{name}:Unknown cannot be used: ValueError: code must be" in reasons["Unknown"]
    assert re.search(rf"{name}:Fails raised AttributeError: .*no_such_thing.*{name}\.py", reasons["Fails"])
    for each, link, got in (
        ("Lost", "WithoutBatch.decode", "got ("),
        ("NotNumbers", "NotFinite.decode", "NaN"),
        ("Omits", "Silent.encode", "got ("),
    ):
        assert re.search(rf"{name}:{each} cannot be used: .*{link} must return finite .*{re.escape(got)}", reasons[each])
    with pytest.raises(ValueError, match=r"must be a class with design\(known, channel\), got function, which has no such method"):
        cells(read_study(write_study(tmp_path, methods=[{"name": f"{name}:function"}], **FAST)))


OBJECTIVES = """
    from latentlink.objectives import Cosine, Regression

    class Mine(Regression):
        def wanted(self, y, synthesis, mean_y):
            return super().wanted(y, synthesis, mean_y)

    class Raises(Mine):
        def wanted(self, y, synthesis, mean_y):
            return self.no_such_thing

    def none():
        return None
"""


def test_a_solution_for_other_channels_than_were_asked_for_is_told_as_its_own(tmp_path, lab):
    name = lab(LINKS)
    methods = [{"name": f"{name}:{each}", "label": each} for each in ("Mine", "OneOfAll", "Exact", "NoMatter")]
    _, rows, reasons = run(write_study(tmp_path, methods=methods, **{**FAST, "channel": {"antennas": 2, "draws": 3}}))
    assert rows["method"].to_list() == ["Mine"] * 3
    for each in ("OneOfAll", "Exact"):
        assert f"{name}:{each} cannot be used: ValueError: solution for 1 channel, expected 3: " in reasons[each]
    assert f"{name}:NoMatter raised ValueError: status must be a int tensor" in reasons["NoMatter"]


def test_a_codec_is_kept_under_the_code_of_its_objective_whose_failures_are_told_as_its_own(tmp_path, lab):
    name = lab(OBJECTIVES)
    codec = {"name": "codec", "rounds": 1, "width": 8, "modes": 7, "max_symbols": 2, "draws": {"antennas": [1, 2], "uses": [1]}}
    content = {"methods": [{**codec, "objective": f"{name}:{each}", "label": each} for each in ("Raises", "none")], **FAST}
    _, _, reasons = run(write_study(tmp_path, **content))
    assert re.search(rf"{name}:Raises raised AttributeError: .*no_such_thing.*{name}\.py", reasons["Raises"])
    assert f"{name}:none cannot be used: ValueError: objective must be an Objective" in reasons["none"]
    places = []
    for source in (OBJECTIVES, OBJECTIVES.replace("super()", "Cosine()"), OBJECTIVES):
        lab(source, name)
        (cell,) = cells(read_study(write_study(tmp_path, methods=[{**codec, "objective": f"{name}:Mine"}], **FAST)))
        places.append(cell.method.stored(Runner(Results(tmp_path / "r")).scenario(cell).known(cell.pilots, 1), 1))
    assert places[0] != places[1]
    assert places[0] == places[2]


def test_modes_are_named_by_their_goal():
    """`known.modes(goal)`, as docs/studies.md has it for code of one's own."""
    x, y, labels = latents_of_one_cause(np.random.default_rng(0), 300, 6, 5)
    known = ll.studies.PilotKnowledge(ll.Pilots(x, y, labels), ll.fit_head(y, labels))
    assert known.modes(goal="mse") is known.modes(goal="none") is known.modes()
    assert known.modes("fisher") is not known.modes()
    with pytest.raises(ValueError, match="goal must be one of none, mse, fisher, logits, got 'accuracy'"):
        known.modes("accuracy")
