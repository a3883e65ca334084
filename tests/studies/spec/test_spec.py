import json
import re
from pathlib import Path

import pytest

from latentlink.studies.experiments import open_experiment
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from latentlink.studies.spec.study import Study
from studies.examples import STUDY, write_latents, write_study

FILES = sorted((Path(__file__).parents[3] / "studies").rglob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("form", ["plain", "quick", "docs"])
def test_the_studies_we_ship_are_studies(path, form, tmp_path):
    overrides = list(read_study(path).docs.overrides) if form == "docs" else []
    if "dataset: files" in path.read_text(encoding="utf-8"):  # whose latents are made by a script beside it
        write_latents(tmp_path)
        overrides.append(f"data.folder={tmp_path}")
    found = cells(read_study(path, overrides, quick=form == "quick"))
    assert len({cell.id for cell in found}) == len(found) > 0


def test_the_schema_for_editors_is_the_one_we_ship():
    shipped = json.loads((Path(__file__).parents[3] / "studies" / "study.schema.json").read_text())
    assert shipped == Study.model_json_schema()


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("channel.antenas=3", "channel.antenas: unknown key, did you mean antennas"),
        ("channel.antennas=0", "channel.antennas.*greater than or equal to 1, got 0"),
        ("channel.antennas=1,x", "channel.antennas.1.*'x'"),
        ("channel.antennas=null", "n_tx and n_rx"),
        ("snr.snr_db=.nan", "snr.snr_db.*finite.*nan"),
        ("methods.closed-form.goal=bogus", "goal.*'fisher'.*'bogus'"),
        ("methods.nosuch.goal=none", "no section methods.nosuch"),
        ("methods.7.goal=none", "no section methods.7"),
        ("methods.9={name: eigen-k}", r"'9' is not the number of one of the 2 entries; \+methods=.* appends an entry"),
        ("+methods={name: nosuch}", "methods.2: name must be one of closed-form"),
        ("methods.0.at.channel.antenas=3", "methods.0 .closed-form..at: 'channel.antenas'.*did you mean channel.antennas"),
        ("methods.0.at.seed=3", "'seed' is no value"),
        ("methods.0.at.snr.snr_db=[]", "snr.snr_db must be a value"),
        ("methods.0.at.channel.antennas=x", "methods.0 .closed-form.: channel.antennas.*'x'"),
        ("seeds=-1", "seeds.0.*greater than or equal to 0, got -1"),
        ("channel.antennas=true", "channel.antennas.*integer, got True"),
        ("quick=[1]", "quick.*valid dictionary, got .1."),
        ("channel.antennas=choice(1", "channel.antennas"),
        ("metrics=[speed]", "metrics.0.*'latency'.*'speed'"),
        ("seeds=[]", "seeds"),
        ("channel.antennas=[]", "channel.antennas"),
        ("seeds", "key=value"),
        ("=3", "key=value"),
        ("name=../up", "name: must be lower-case letters, digits and hyphens, got '../up'"),
        ("name=own_h", "name: must be lower-case letters, digits and hyphens, got 'own_h'"),
        ("snr.snr=3", "snr.snr: unknown key, did you mean snr_db"),
        ("channel.snr_db=3", "channel.snr_db: unknown key .snr_db belongs to snr"),
        ("methods.closed-form.epochs=3", "methods.0.epochs: unknown key .epochs belongs to neural"),
        ("pilots.wavelength=3", "pilots.wavelength: unknown key, expected one of per_class, method, grouping"),
        (
            "methods=[{name: admm, constraint: sparse}]",
            "methods.0 .admm.: method: active must be an integer >= 1 where constraint is sparse",
        ),
        ("methods=[{name: admm, active: 2}]", "active must be left out where constraint is null.*got 2"),
        ("methods=[{name: nosuch}]", "methods.0: name must be one of closed-form, .*module:attribute, got"),
        ("snr.snr_db=range(0,1000000000)", "at most 10000 values, got 1000000000"),
        ("seeds=range(0,100000000000000000000)", "at most 10000 values, got 100000000000000000000"),
        ("seeds=range(0,10000) channel.uses=range(1,100)", "combinations"),
        ("methods=[{name: neural, validation: 1.0}]", "validation.*less than 1, got 1.0"),
        (
            "data={dataset: fashion-mnist, folder: null}",
            "encoders.transmitter must be one of mobilenet-v2.*timm:NAME or module:attribute, got 'a'",
        ),
        ("channel.antennas=[1", "not a value"),
        ("channel.k_factor=-3", "channel.k_factor: must be a number >= 0, linear and not in dB .*got -3"),
        ("channel.k_factor=10 dB", "channel.k_factor: must be a number >= 0, linear and not in dB .*got '10 dB'"),
    ],
)
def test_wrong_values_are_named(tmp_path, override, complaint):
    path = write_study(tmp_path)
    with pytest.raises(ValueError, match=complaint):
        cells(read_study(path, tuple(override.split(" ")) if ") " in override else (override,)))


def test_files_that_are_no_studies_are_named(tmp_path):
    path = tmp_path / "x.yaml"
    for content, complaint in (("a: [", "not a YAML"), ("- 1", "mapping"), ("name: x", "methods")):
        path.write_text(content)
        with pytest.raises(ValueError, match=complaint):
            read_study(path)
    with pytest.raises(FileNotFoundError):
        read_study(tmp_path / "absent.yaml")
    with pytest.raises(ValueError, match="quick"):
        read_study(write_study(tmp_path), quick=True)


def test_overrides_sweep_and_reach_methods_by_name(tmp_path):
    path = write_study(tmp_path)
    study = read_study(path, ("channel.antennas=1,2,4", "seeds=5", "snr.snr_db=[10]", "methods.closed-form.goal=none,fisher"))
    mine = [cell for cell in cells(study) if cell.method.name == "closed-form"]
    assert {cell.channel.antennas for cell in mine} == {1, 2, 4}
    assert {cell.method.goal for cell in mine} == {"none", "fisher"}
    assert {cell.seed for cell in mine} == {5}
    assert len(mine) == 6


def test_a_plus_appends_an_entry_and_sets_what_is_no_list_of_entries(tmp_path):
    path = write_study(tmp_path)
    own = "+methods={name: eigen-k, aligner: [least-squares, procrustes]}"
    before, after = cells(read_study(path)), cells(read_study(path, (own, "methods.eigen-k.label=mine", "+seeds=7", "+channel.uses=2")))
    assert [cell.method.name for cell in before if cell.method.name == "eigen-k"] == []
    mine = [cell.method for cell in after if cell.method.name == "eigen-k"]
    assert {(method.title, method.aligner) for method in mine} == {("mine", "least-squares"), ("mine", "procrustes")}
    assert {cell.method.name for cell in after} == {cell.method.name for cell in before} | {"eigen-k"}
    assert {cell.seed for cell in after if cell.method.family != "reference"} == {7}
    several = read_study(path, ("+methods=[{name: eigen-k}, {name: top-k}]",))
    assert [method.name for method in several.methods][-2:] == ["eigen-k", "top-k"]
    nested = read_study(path, ("+methods=[{name: closed-form, goal: [none, fisher]}, {name: top-k, at: {channel.antennas: [1, 2]}}]",))
    assert [method.name for method in nested.methods][-2:] == ["closed-form", "top-k"]
    assert nested.methods[-2].goal == ["none", "fisher"]
    swept = read_study(path, ("methods.0={name: closed-form, at: {snr.snr_db: [0, 10]}, goal: fisher}",))
    assert swept.methods[0].goal == "fisher"
    for wrong in ("+methods=[top-k]", "+methods=[]", "+methods=top-k"):
        with pytest.raises(ValueError, match=r"must append entries such as \{name: eigen-k\}, got .*; \+\+methods=… replaces all of them"):
            read_study(path, (wrong,))
    for sets in ("++methods=[{name: eigen-k}]", "methods=[{name: eigen-k}]"):
        assert [method.name for method in read_study(path, (sets,)).methods] == ["eigen-k"]


def test_a_tilde_takes_out(tmp_path):
    path = write_study(tmp_path)
    assert {cell.method.name for cell in cells(read_study(path, ("~methods.first-k",)))} == {"closed-form", "reference"}
    assert {
        cell.channel.gain for cell in cells(read_study(path, ("~channel.antennas", "channel.gain=2"))) if cell.method.name == "first-k"
    } == {2.0}
    for nothing in ("~methods.nosuch", "~nosuch", "~channel.nosuch"):
        with pytest.raises(ValueError, match=f"{nothing}: there is no such value"):
            read_study(path, (nothing,))


def test_quick_is_the_same_study_with_other_values(tmp_path):
    path = write_study(tmp_path, quick={"seeds": [9], "channel.antennas": 1})
    quick, full = cells(read_study(path, quick=True)), cells(read_study(path))
    assert {cell.seed for cell in quick} == {9}
    assert {cell.channel.antennas for cell in quick} == {1}
    overridden = cells(read_study(path, ("seeds=9", "channel.antennas=1")))
    assert {cell.id for cell in quick} == {cell.id for cell in overridden}
    assert not {cell.id for cell in quick} & {cell.id for cell in full if cell.method.family != "reference"}


def test_a_cell_is_named_by_what_it_is_and_by_nothing_else(tmp_path):
    content = {**STUDY, "data": {"dataset": "digits"}}
    ids = [cell.id for cell in cells(Study.model_validate(content))]
    reordered = {key: content[key] for key in reversed(content)}
    assert [cell.id for cell in cells(Study.model_validate(reordered))] == ids
    titled = {**content, "title": "other", "methods": [{**method, "label": "other"} for method in content["methods"]]}
    assert [cell.id for cell in cells(Study.model_validate(titled))] == ids
    spelled_out = {**content, "channel": {"antennas": [1, 2], "gain": 1.0, "uses": 1}}
    assert [cell.id for cell in cells(Study.model_validate(spelled_out))] == ids
    for change in ({"channel": {"antennas": [1, 2], "gain": 0.5}}, {"seeds": [3, 4]}, {"pilots": {"per_class": 21}}):
        others = {cell.id for cell in cells(Study.model_validate({**content, **change})) if cell.method.family != "reference"}
        assert not others & set(ids)


def test_aliases_are_values_of_their_own_and_overrides_win_over_at(tmp_path):
    path = write_study(tmp_path)
    path.write_text(
        path.read_text()
        .replace("- name: closed-form", "- {name: closed-form, at: &both {channel.antennas: 4, snr.snr_db: 5}}")
        .replace("- name: first-k", "- {name: first-k, at: *both}")
    )

    def points(*overrides):
        found = cells(read_study(path, overrides))
        return {name: {(c.channel.antennas, c.snr.snr_db) for c in found if c.method.name == name} for name in ("closed-form", "first-k")}

    assert points() == {"closed-form": {(4, 5.0)}, "first-k": {(4, 5.0)}}
    assert points("methods.first-k.at.channel.antennas=3") == {"closed-form": {(4, 5.0)}, "first-k": {(3, 5.0)}}
    assert points("channel.antennas=2") == {"closed-form": {(2, 5.0)}, "first-k": {(2, 5.0)}}


def test_mappings_are_merged(tmp_path):
    path = write_study(tmp_path, channel={"antennas": [1, 2], "gain": 2.0, "draws": 3}, quick={"channel": {"antennas": 4}})
    for study in (read_study(path, quick=True), read_study(path, ("channel={antennas: 4}",))):
        channels = {(c.channel.antennas, c.channel.gain, c.channel.draws) for c in cells(study) if c.method.name == "first-k"}
        assert channels == {(4, 2.0, 3)}


def test_hydra_s_other_forms(tmp_path):
    path = write_study(tmp_path)

    def antennas(override):
        return {cell.channel.antennas for cell in cells(read_study(path, (override,))) if cell.method.name == "first-k"}

    assert antennas("channel.antennas=range(1,4)") == {1, 2, 3}
    assert antennas("channel.antennas=choice(1,5)") == {1, 5}
    assert antennas("++channel.antennas=7") == {7}
    goals = cells(read_study(path, ("methods.closed-form.goal='none',\"fisher\"",)))
    assert {cell.method.goal for cell in goals if cell.method.name == "closed-form"} == {"none", "fisher"}


def test_a_key_that_comes_twice_is_named(tmp_path):
    path = write_study(tmp_path)
    path.write_text(path.read_text() + "seeds: [9]\n")
    with pytest.raises(ValueError, match="'seeds' comes twice"):
        read_study(path)


def test_one_link_has_one_name_however_it_is_said(tmp_path):
    path = write_study(tmp_path)

    def ids(*overrides):
        return {cell.id for cell in cells(read_study(path, ("snr.snr_db=0", *overrides)))}

    four = ids("channel.antennas=4")
    assert ids("channel.antennas=null", "channel.n_tx=4", "channel.n_rx=4") == four
    assert ids("channel.antennas=4", "channel.k_factor=9") == four
    assert ids("channel.antennas=4", "snr.snr_db=-0.0") == four
    assert ids("channel.antennas=4", "channel.model=rician", "channel.k_factor=9") != four


def test_ignored_encoders_make_no_difference(tmp_path):
    path = write_study(tmp_path)
    for dataset in ("files", "digits"):
        named = (f"data.dataset={dataset}", "data.folder=null") if dataset == "digits" else ()
        other = (*named, "encoders={transmitter: b, receiver: c, image_size_px: 32}")
        assert {cell.id for cell in cells(read_study(path, named))} == {cell.id for cell in cells(read_study(path, other))}
    images = ("data={dataset: fashion-mnist, folder: null}", "encoders.transmitter=mobilenet-v2", "encoders.receiver=efficientnet-lite0")
    one = {cell.id for cell in cells(read_study(path, images))}
    assert not one & {cell.id for cell in cells(read_study(path, (*images, "encoders.image_size_px=32")))}


def test_encoders_may_be_timm_s_and_near_misses_are_told(tmp_path):
    path, images = write_study(tmp_path), ("data={dataset: fashion-mnist, folder: null}", "encoders.receiver=efficientnet-lite0")
    for name in ("mobilenet-v2", "timm:resnet50", "vit_small_patch16_224"):
        assert cells(read_study(path, (*images, f"encoders.transmitter={name}")))
    for name in ("mobilenet-v3", "a-b_c"):
        with pytest.raises(ValueError, match=f"encoders.transmitter must be one of .*got '{name}'"):
            cells(read_study(path, (*images, f"encoders.transmitter={name}")))
    with pytest.raises(ValueError, match=r"encoders\.transmitter: 'other:resnet_50': there is no module 'other'"):
        cells(read_study(path, (*images, "encoders.transmitter=other:resnet_50")))
    with pytest.raises(ValueError, match="did you mean mobilenet-v2"):
        cells(read_study(path, (*images, "encoders.transmitter=mobilenet-v3")))


def test_methods_that_differ_in_their_label_only_are_refused(tmp_path):
    path = write_study(tmp_path, methods=[{"name": "first-k", "label": "A"}, {"name": "first-k", "label": "B"}])
    with pytest.raises(ValueError, match="same as another method but for its label, 'B' and 'A'"):
        cells(read_study(path))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("methods.0.shrinkage=-1", "shrinkage: Input should be 'auto' or greater than or equal to 0, got -1"),
        ("channel.antennas=0", "channel.antennas: Input should be greater than or equal to 1, got 0"),
    ],
)
def test_all_that_is_expected_is_told(tmp_path, override, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        read_study(write_study(tmp_path), (override,))


def test_too_many_cells_are_refused_with_the_name_of_the_file(tmp_path):
    path = tmp_path / "sw.yaml"
    path.write_text("{name: sw, methods: [{name: closed-form}], channel: {antennas: [1, 2, 4]}}")
    with pytest.raises(ValueError, match=r"sw.yaml: methods.0 \(closed-form\): its lists have 300,000 combinations"):
        open_experiment(path, ["seeds=range(0,10000)", "snr.snr_db=range(0,10)"])
