"""Studies that are too large, too deep or not made of methods are refused by a sentence, and at once."""

import time

import pytest

import latentlink as ll

STUDY = {"name": "s", "methods": [{"name": "closed-form"}]}


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def cyclic():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (range(10**30), r"study\.seeds must be of a study of at most 100000 values"),
        (nested(3000), "contains itself"),
        (cyclic(), "contains itself"),
    ],
)
def test_what_no_study_holds_is_refused_before_it_is_written_out(seeds, message):
    began = time.monotonic()
    with pytest.raises(ValueError, match=message):
        ll.studies.make_study({**STUDY, "seeds": seeds})
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(("methods", "overrides"), [(STUDY["methods"], ["methods=1"]), (5, ["seeds=1"])])
def test_methods_that_are_no_list_are_refused_with_overrides_too(methods, overrides):
    with pytest.raises(ValueError, match="methods"):
        ll.studies.make_study({**STUDY, "methods": methods}, overrides)


def test_many_keys_are_compared_in_one_pass(tmp_path):
    keys = ", ".join(f"k{number}: 1" for number in range(20_000))
    (tmp_path / "s.yaml").write_text(f"{{name: s, methods: [{{name: closed-form}}], quick: {{{keys}}}}}")
    began = time.process_time()
    ll.studies.read_study(tmp_path / "s.yaml")
    assert time.process_time() - began < 30


@pytest.mark.parametrize("date", ["2026-11-28", "2026-19-48", "2026-11-28 12:00:00"])
def test_what_looks_like_a_date_is_refused_by_its_key(tmp_path, date):
    (tmp_path / "s.yaml").write_text(f"{{name: s, methods: [{{name: closed-form}}], seeds: {date}}}")
    with pytest.raises(ValueError, match=rf"s\.yaml: seeds.*'{date}'"):
        ll.studies.read_study(str(tmp_path / "s.yaml"))
