"""Columns of unnamed arrays that are no features are told, and features never are."""

import numpy as np
import pytest
import torch

import latentlink as ll

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)


def written(array, suffix):
    ll.data.write_array(f"x{suffix}", torch.as_tensor(array)) if suffix != ".csv" else np.savetxt("x.csv", array, delimiter=",")
    return f"x{suffix}"


@pytest.mark.parametrize("suffix", [".npy", ".pt", ".safetensors", ".csv"])
@pytest.mark.parametrize(("column", "first"), [(0, 0), (6, 1), (3, 500)])
def test_a_counter_of_the_rows_is_refused(tmp_path, monkeypatch, suffix, column, first):
    monkeypatch.chdir(tmp_path)
    path = written(np.insert(X.astype(np.float64), column, first + np.arange(60), axis=1), suffix)
    with pytest.raises(ValueError, match=rf"{path}: column {column} of 7 counts the rows, {first}, {first + 1}, …"):
        ll.read_latents(path)


def test_columns_that_were_named_are_features_whatever_they_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savetxt("x.csv", np.column_stack([np.arange(60), X, np.arange(60) % 3]), delimiter=",", header=",".join("tabcdefg"), comments="")
    with pytest.raises(ValueError, match=r"column 0 of 8 counts the rows.*by columns"):
        ll.read_latents("x.csv")
    assert ll.read_latents("x.csv", columns=["t", "a", "b", "g"]).shape == (60, 4)


def test_labels_among_fractions_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.column_stack([X, np.arange(60) % 10]))
    with pytest.warns(UserWarning, match=r"x\.npy: column 6 holds whole numbers \(10 different ones\) beside 6 columns of fractions"):
        assert ll.read_latents("x.npy").shape == (60, 7)


@pytest.mark.parametrize(
    "features",
    [
        X,
        X.clip(0),  # rectified
        np.column_stack([X, np.zeros(60)]),  # a unit that is dead
        np.arange(360.0).reshape(6, 60).T,  # every column counts
        np.random.default_rng(1).integers(0, 17, (60, 6)),  # pixels
        np.sign(X),
        np.column_stack([X, np.arange(60) % 2, np.arange(60) % 3]),  # several columns of whole numbers are a kind of feature
        X[:7],
    ],
)
def test_features_are_not_accused(tmp_path, monkeypatch, features):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", features)
    assert ll.read_latents("x.npy").shape == features.shape  # warnings are errors here


def test_rows_that_were_saved_one_by_one_have_a_remedy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(list(torch.from_numpy(X)), "x.pt")
    with pytest.raises(ValueError, match=r"got shape \(360,\).*torch\.stack"):
        ll.read_latents("x.pt")


@pytest.mark.parametrize("integer", [np.int16, np.uint16])
def test_bits_of_half_precision_are_refused(tmp_path, monkeypatch, integer):
    monkeypatch.chdir(tmp_path)
    for half in (torch.bfloat16, torch.float16):
        np.save("x.npy", torch.from_numpy(X).to(half).view(torch.int16).numpy().view(integer))
        with pytest.raises(ValueError, match="bits of bfloat16 or float16"):
            ll.read_latents("x.npy")
    np.save("x.npy", np.random.default_rng(2).integers(0, 255, (60, 6)).astype(integer))
    assert ll.read_latents("x.npy").dtype == torch.float32


def test_a_remedy_for_headerless_tables_leads_to_features(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{number}," + ",".join(f"{value:.4f}" for value in row) for number, row in enumerate(X)]
    (tmp_path / "x.csv").write_text("\n".join(rows))
    with pytest.raises(ValueError, match=r"columns=\['column_1', 'column_2', …, 'column_6'\]"):
        ll.read_latents("x.csv")
    assert ll.read_latents("x.csv", columns=[f"column_{number}" for number in range(1, 7)]).shape == (60, 6)
