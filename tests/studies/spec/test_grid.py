from collections import Counter

from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.study import Study
from studies.examples import STUDY


def study(**changes):
    return Study.model_validate({**STUDY, "data": {"dataset": "digits"}, **changes})


def test_cells_are_the_product_of_all_lists():
    found = cells(study(references=False))
    points = {(cell.method.name, cell.channel.antennas, cell.snr.snr_db, cell.seed) for cell in found}
    assert points == {(name, n, db, seed) for name in ("closed-form", "first-k") for n in (1, 2) for db in (0.0, 20.0) for seed in (1, 2)}
    assert len(found) == len(points)


def test_lists_in_methods_are_swept_too():
    methods = [{"name": "closed-form", "goal": ["none", "fisher"], "temperature": [1.0, 3.0]}]
    found = cells(study(methods=methods, references=False, seeds=[1]))
    assert len(found) == 2 * 2 * 2 * 2


def test_a_method_may_have_a_point_of_its_own():
    methods = [{"name": "closed-form"}, {"name": "top-k", "at": {"channel.antennas": 4, "snr.snr_db": [5, 6, 7]}}]
    found = cells(study(methods=methods, references=False, seeds=[1]))
    mine = [cell for cell in found if cell.method.name == "top-k"]
    assert {(cell.channel.antennas, cell.snr.snr_db) for cell in mine} == {(4, 5.0), (4, 6.0), (4, 7.0)}
    assert Counter(cell.method.name for cell in found) == {"closed-form": 4, "top-k": 3}


def test_the_same_cell_is_run_once():
    methods = [{"name": "closed-form"}, {"name": "closed-form", "at": {"channel.antennas": 1}}, {"name": "closed-form", "goal": "none"}]
    assert len(cells(study(methods=methods, references=False))) == len(cells(study(methods=methods[:1], references=False)))


def test_references_pass_no_channel_and_are_one_point_for_each_choice_of_pilots():
    found = [cell for cell in cells(study(pilots={"per_class": [5, 10]})) if cell.method.family == "reference"]
    assert Counter(cell.method.kind for cell in found) == {"own": 4, "aligned": 4, "unaligned": 4}
    assert not [cell for cell in cells(study(references=False)) if cell.method.family == "reference"]


def test_cells_that_share_pilots_are_neighbours():
    groups = [cell.group for cell in cells(study(pilots={"per_class": [5, 10]}))]
    runs = [group for number, group in enumerate(groups) if number == 0 or groups[number - 1] != group]
    assert len(runs) == len(set(runs)) == 4
