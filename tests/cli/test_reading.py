"""Commands read whatever the reader reads, look before they design, and design anew for another channel."""

import dataclasses
import re
from typing import get_args

import numpy as np
import polars as pl
import pytest
import scipy.io

import latentlink as ll
from latentlink.cli.card import read_card
from latentlink.cli.design import design
from latentlink.cli.evaluate import evaluate
from latentlink.cli.fit import fit
from latentlink.cli.inspect import inspect
from latentlink.cli.options import Reading
from latentlink.cli.provenance import file_name
from latentlink.linear.csi_names import CsiWord
from latentlink.numerics.seeds import stream_generator
from latentlink.storage.provenance import digest_of
from one_cause import latents_of_one_cause
from written_files import WRITE, written

GENERATOR = np.random.default_rng(0)
N = 200
X, Y, LABELS = latents_of_one_cause(GENERATOR, N, 6, 5)
SMALL = {"n_tx": 2, "n_rx": 2}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, array in (("x", X), ("y", Y), ("labels", LABELS)):
        np.save(f"{name}.npy", array)
    return tmp_path


@pytest.mark.parametrize("suffix", WRITE)
def test_a_link_is_fitted_and_evaluated_in_every_format(files, suffix, capsys):
    (files / "tx").mkdir()
    x = written(files / "tx", suffix, y=X)
    fit(str(x), "y.npy", "labels.npy", **SMALL)
    evaluate(files / "link", str(x), "y.npy", "labels.npy")
    shown = capsys.readouterr()
    assert "R² of y on x (permuted rows)" in shown.out
    assert "the same design on 40 held-out pilots" in shown.out
    assert "receiver's own latents" in shown.out
    assert shown.err == ""


def test_tables_bring_their_ids_and_labels(files, capsys):
    order = GENERATOR.permutation(N)
    names = np.array(["cat", "cow", "dog", "yak"])
    table = {"id": np.arange(N), "label": names[LABELS]}
    pl.DataFrame({**table, "embedding": list(X)}).write_parquet("x.parquet")
    pl.DataFrame({"id": order, **{f"f{i}": Y[order, i] for i in range(5)}}).write_csv("y.csv")
    fit("x.parquet", "y.csv", **SMALL)
    assert capsys.readouterr().err == ""
    evaluate(files / "link", "x.parquet", "y.csv")
    assert "mean per class" in capsys.readouterr().out


def test_a_link_for_the_latents_alone_needs_no_labels(files, capsys):
    fit("x.npy", "y.npy", **SMALL)
    shown = capsys.readouterr().out
    assert "goal" in shown
    assert "mse" in shown
    assert not (files / "link" / "head.safetensors").exists()
    evaluate(files / "link", "x.npy", "y.npy")
    shown = capsys.readouterr().out
    assert "NMSE" in shown
    assert "accuracy" not in shown
    with pytest.raises(ValueError, match="--goal fisher needs the receiver's head: give labels"):
        fit("x.npy", "y.npy", goal="fisher", **SMALL)


@pytest.mark.parametrize("shuffle", ["permuted", "shifted", "sorted by class", "permuted within classes"])
def test_unpaired_rows_are_told_before_the_design(files, shuffle, capsys):
    order = {
        "permuted": GENERATOR.permutation(N),
        "shifted": np.roll(np.arange(N), 1),
        "sorted by class": np.argsort(LABELS, kind="stable"),
        "permuted within classes": np.lexsort((GENERATOR.random(N), LABELS))[np.argsort(np.argsort(LABELS, kind="stable"))],
    }[shuffle]
    np.save("y.npy", Y[order])
    fit("x.npy", "y.npy", "labels.npy", **SMALL)
    assert "permuted rows" in capsys.readouterr().err


def test_a_link_that_is_worse_than_nothing_is_told(files, capsys):
    wide = GENERATOR.normal(size=(60, 200)).astype(np.float32)
    np.save("x.npy", wide)
    np.save("y.npy", GENERATOR.normal(size=(60, 40)).astype(np.float32))
    fit("x.npy", "y.npy", shrinkage=1e-6, **SMALL)
    told = capsys.readouterr().err
    assert "60 pairs are fewer than the 200 dimensions" in told
    assert "worse than one that sends nothing" in told


def test_axes_are_said_and_shown(files, capsys):
    h = GENERATOR.normal(size=(2, 3, 8)) + 1j * GENERATOR.normal(size=(2, 3, 8))
    scipy.io.savemat("h.mat", {"H": h})
    with pytest.raises(ValueError, match=r"say which axis is which by axes \(--axes on the command line\)"):
        fit("x.npy", "y.npy", "labels.npy", channel="h.mat")
    fit("x.npy", "y.npy", "labels.npy", channel="h.mat", reading=Reading(axes="matlab"))
    assert "2×3, 1 use(s), 20 dB, 8 channel(s)" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"--n-tx must be 3, what --channel h\.mat holds as \[N, uses, rx, tx\], got 2"):
        fit("x.npy", "y.npy", "labels.npy", channel="h.mat", n_tx=2, reading=Reading(axes="matlab"))
    np.save("loss.npy", h.transpose(2, 0, 1) * 1e-6)
    fit("x.npy", "y.npy", "labels.npy", channel="loss.npy")
    assert "normalise the channels" in " ".join(capsys.readouterr().err.split())


def test_a_pair_is_designed_for_another_channel(files, capsys):
    fit("x.npy", "y.npy", "labels.npy", output=files / "a", **SMALL)
    h = GENERATOR.normal(size=(3, 2, 2)) + 1j * GENERATOR.normal(size=(3, 2, 2))
    np.save("h.npy", h)
    design(files / "a", channel="h.npy", output=files / "new.safetensors")
    fit("x.npy", "y.npy", "labels.npy", channel="h.npy", output=files / "b")
    capsys.readouterr()
    head = files / "a" / "head.safetensors"
    evaluate(files / "new.safetensors", "x.npy", "y.npy", "labels.npy", head=head)
    ours = capsys.readouterr().out
    evaluate(files / "b", "x.npy", "y.npy", "labels.npy", head=head)
    assert ours == capsys.readouterr().out
    with pytest.raises(ValueError, match="expected a pair or a codec"):
        design(head)
    with pytest.raises(ValueError, match=r"neither codec\.safetensors nor pair\.safetensors"):
        design(files)


def test_every_kind_of_file_is_inspected(files, capsys):
    np.save("h.npy", np.ones((4, 2, 2)) * (1 + 1j))
    pl.DataFrame({"id": [1, 2], "embedding": [[1.0, 2.0], [3.0, 4.0]]}).write_parquet("t.parquet")
    for source, words in (
        ("h.npy", ("4 of 1 use(s), 2 receive and 2 transmit antennas", "mean |h|²")),
        ("labels.npy", ("200 of 4 classes", "0 to 3")),
        ("x.npy", ("200 × 6 float32",)),
        ("t.parquet", ("embedding", "List(Float64)", "2 × 2 float64")),
    ):
        inspect(source)
        shown = capsys.readouterr().out
        assert all(word in shown for word in words), shown


@pytest.mark.parametrize("csi", get_args(CsiWord))
def test_every_case_of_csi_has_its_word(files, csi, capsys):
    fit("x.npy", "y.npy", "labels.npy", csi=csi, error_variance=0.1, goal="mse", **SMALL)
    shown = capsys.readouterr().out
    known = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=stream_generator(0, "channel")), 20.0)
    known = dataclasses.replace(known, error_variance=known.error_variance + 0.1)
    modes = ll.semantic_modes(ll.Moments.from_pairs(X, Y))
    expected = ll.ClosedForm(csi=ll.csi.named(csi)).design(modes, known)
    assert " ".join(expected.messages()[0].split())[:30] in " ".join(shown.split())
    evaluate(files / "link", "x.npy", "y.npy", "labels.npy")
    assert "NMSE" in capsys.readouterr().out


def test_cases_of_csi_are_for_the_linear_design(files):
    with pytest.raises(ValueError, match="--csi unaware is for --method linear"):
        fit("x.npy", "y.npy", "labels.npy", method="codec", csi="unaware", **SMALL)
    with pytest.raises(ValueError, match="--error-variance must be a finite number >= 0"):
        fit("x.npy", "y.npy", "labels.npy", error_variance=-1.0, **SMALL)


def test_a_fit_says_what_it_was_made_from_and_how_good_it_was(files, capsys):
    fit("x.npy", "y.npy", "labels.npy", output=files / "a", card=True, **SMALL)
    printed = " ".join(capsys.readouterr().out.split())
    shown = {name: read_card(files / "a" / f"{name}.safetensors") for name in ("pair", "link", "head")}
    for card in shown.values():
        assert [record.source for record in card.provenance.data] == ["x.npy", "y.npy", "labels.npy"]
        assert card.provenance.data[0].sha256 == digest_of(ll.read_latents("x.npy"))
        nmse = card.provenance.figures["NMSE on 40 held-out pilots"]
        assert f"NMSE {nmse:.4g}" in printed
    assert (files / "a" / "link.md").is_file()
    design(files / "a", channel=None, n_tx=2, n_rx=2, output=files / "new.safetensors")
    new = read_card(files / "new.safetensors").provenance
    assert new.data == shown["pair"].provenance.data
    assert shown["pair"].sha256 in new.made_from
    assert not new.figures  # those of another link are not its own
    inspect(str(files / "a" / "link.safetensors"))
    assert shown["link"].provenance.data[1].sha256 in "".join(capsys.readouterr().out.split())
    shown_page = (files / "a" / "pair.md").read_text(encoding="utf-8")
    assert shown_page.endswith("shows the same.\n")
    assert "| encoders | x, y |" in shown_page
    assert "| widely linear | yes |" in shown_page
    assert not re.search(r"None|True|False|\[\'", shown_page)
    with pytest.raises(ValueError, match="--card is for a saved pair"):
        inspect("x.npy", card=True)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/home/me/data/x.npy", "x.npy"),
        ("data/vit/*.parquet", "vit/*.parquet"),
        ("a/b.npz::train", "b.npz::train"),
        ("shards/", "shards"),
        ("hf://datasets/lab/set/*.parquet::embedding", "set/*.parquet::embedding"),
    ],
)
def test_names_of_sources_leave_this_machine_out(source, name):
    assert file_name(source) == name


def test_what_commands_wrote_is_inspected_by_its_folder_and_lists_of_names_are_labels(files, capsys):
    fit("x.npy", "y.npy", "labels.npy", output=files / "a", **SMALL)
    capsys.readouterr()
    inspect(str(files / "a"))
    shown = capsys.readouterr().out
    assert all(kind in shown for kind in ("pair: ", "link: ", "head: "))
    (files / "names.txt").write_text("owl\nape\nape\nowl\n")
    inspect("names.txt")
    assert "4 of 2 classes, 2 to 2 each" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there is no nowhere: name a pair or a codec"):
        design(files.relative_to(files) / "nowhere")
