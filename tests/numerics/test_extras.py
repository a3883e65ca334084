import json

import pytest

from latentlink.numerics.extras import import_extra


def test_what_is_installed_is_imported():
    assert import_extra("json", "plot") is json
    assert import_extra("os.path", "plot").join("a", "b") == "a/b"


def test_what_is_missing_is_answered_with_the_extra():
    with pytest.raises(ImportError, match=r"no_such_package is needed .* pip install latentlink\[plot\]$") as caught:
        import_extra("no_such_package.part", "plot")
    assert caught.value.name == "no_such_package.part"
    with pytest.raises(ImportError, match=r"latentlink\[eval\]\. Ask your doctor\.$"):
        import_extra("no_such_package", "eval", "Ask your doctor.")


def test_what_is_broken_inside_speaks_for_itself(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import something_it_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_needs"):
        import_extra("broken_package", "plot")
