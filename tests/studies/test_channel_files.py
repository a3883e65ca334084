"""Channels of files in studies: found beside the study, read by the one reader, and known by what they hold."""

import pickle
import warnings

import numpy as np
import polars as pl
import pytest
import torch

import latentlink as ll
from latentlink.studies.channels import channel_of
from latentlink.studies.experiments import open_experiment
from latentlink.studies.running.situation import draw_situation
from latentlink.studies.spec.grid import cells
from latentlink.studies.spec.reading import read_study
from studies.examples import run, write_study

CPU = torch.device("cpu")
ONE = [{"name": "closed-form"}]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))


def measured(path, n=6, n_rx=2, n_tx=3, uses=None, scale=1.0, seed=0):
    """Write channels in this package's order, and return them (n, uses, rx, tx)."""
    shape = (n, n_rx, n_tx) if uses is None else (n, uses, n_rx, n_tx)
    generator = np.random.default_rng(seed)
    h = scale * (generator.normal(size=shape) + 1j * generator.normal(size=shape)) / 2**0.5
    np.save(path, h)
    return torch.from_numpy(h if uses else h[:, None])


def study(tmp_path, *overrides, **channel):
    path = write_study(tmp_path, channel=channel, seeds=[1, 2], snr={"snr_db": 10}, methods=ONE, references=False)
    return read_study(path, overrides)


def channels(cell):
    return channel_of(cell.channel, cell.ofdm, cell.snr, cell.seed, CPU)


def test_antennas_uses_draws_and_gain_are_those_of_the_file(tmp_path):
    h = measured(tmp_path / "h.npy", uses=4)
    for cell in cells(study(tmp_path, file="h.npy", axes="latentlink")):
        assert (cell.channel.shape, cell.channel.uses, cell.channel.draws) == ((2, 3), 4, 6)
        assert cell.channel.gain == pytest.approx(h.abs().square().mean().item())
        channel = channels(cell)
        torch.testing.assert_close(channel.h, h)
        torch.testing.assert_close(channel.snr_db, torch.full((6,), 10.0, dtype=torch.float64))


def test_the_axes_of_a_matlab_file_are_said(tmp_path):
    io = pytest.importorskip("scipy.io")
    h = measured(tmp_path / "h.npy")
    io.savemat(tmp_path / "h.mat", {"H": h[:, 0].permute(1, 2, 0).numpy()})
    with pytest.raises(ValueError, match=r"channel: .*h\.mat.*say which axis is which"):
        cells(study(tmp_path, file="h.mat"))
    (one, _), (other, _) = (cells(study(tmp_path, **channel)) for channel in ({"file": "h.mat", "axes": "matlab"}, {"file": "h.npy"}))
    torch.testing.assert_close(channels(one).h, h)
    assert one.id == other.id  # the same numbers, in whatever format


def test_the_first_are_the_same_for_every_seed_and_random_ones_are_not(tmp_path):
    h = measured(tmp_path / "h.npy", n=50)
    first = [channels(cell).h for cell in cells(study(tmp_path, file="h.npy", draws=5))]
    assert all(torch.equal(drawn, h[:5]) for drawn in first)
    some, others = (channels(cell).h for cell in cells(study(tmp_path, file="h.npy", draws=5, take="random")))
    again, _ = (channels(cell).h for cell in cells(study(tmp_path, file="h.npy", draws=5, take="random")))
    assert torch.equal(some, again)
    assert not torch.equal(some, others)
    for drawn in (some, others):
        places = [int((h == one).flatten(1).all(1).nonzero().item()) for one in drawn]
        assert len(set(places)) == 5


def test_one_matrix_serves_any_number_of_uses(tmp_path):
    h = measured(tmp_path / "h.npy")
    one, several = (channels(cell).h for cell in cells(study(tmp_path, "seeds=1", file="h.npy", uses=[1, 3])))
    assert torch.equal(one, h)
    assert torch.equal(several, h.expand(-1, 3, -1, -1))


def test_normalising_scales_all_channels_of_the_file_by_one_number(tmp_path):
    h = measured(tmp_path / "h.npy", scale=1e-6)
    with pytest.warns(UserWarning, match=r"mean \|h\|² is .*normalise the channels"):
        cells(study(tmp_path, file="h.npy"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cell, _ = cells(study(tmp_path, file="h.npy", normalise=True, gain=0.5, draws=4))
    torch.testing.assert_close(channels(cell).h, h[:4] * (0.5 / h.abs().square().mean()) ** 0.5)


def test_changed_files_are_other_cells_and_moved_ones_are_not(tmp_path):
    measured(tmp_path / "h.npy")
    ids = [cell.id for cell in cells(study(tmp_path, file="h.npy"))]
    (tmp_path / "other").mkdir()
    measured(tmp_path / "other" / "moved.npy")
    assert [cell.id for cell in cells(study(tmp_path, file="other/moved.npy"))] == ids
    measured(tmp_path / "h.npy", seed=1)
    assert not {cell.id for cell in cells(study(tmp_path, file="h.npy"))} & set(ids)


def test_files_are_swept_like_any_value_also_beside_drawn_channels(tmp_path, monkeypatch):
    measured(tmp_path / "a.npy")
    measured(tmp_path / "b.npy", n=4, n_tx=2)
    monkeypatch.chdir(tmp_path.parent)
    path = write_study(tmp_path, channel={"file": "a.npy"}, seeds=[1], snr={"snr_db": 10}, methods=ONE)
    rows = run(path, tmp_path / "r", overrides=("channel.file=a.npy,b.npy,null",))
    counts = {name: count for name, count in rows.group_by("channel_model").len().iter_rows() if name is not None}
    assert counts == {"a.npy": 6, "b.npy": 4, "rayleigh": 1}
    sizes = {name: (n_tx, n_rx) for name, n_tx, n_rx in rows.select("channel_model", "n_tx", "n_rx").drop_nulls().unique().iter_rows()}
    assert sizes == {"a.npy": (3, 2), "b.npy": (2, 2), "rayleigh": (8, 8)}
    assert set(ll.studies.summarise(rows)["channel_model"].drop_nulls()) == set(counts)


def test_where_a_list_of_files_has_null_the_model_is_that_of_null(tmp_path):
    h = measured(tmp_path / "h.npy")
    models = ["rician", "tdl-c"]
    some = cells(study(tmp_path, "seeds=1", file=["h.npy", None], model=models, n_rx=2, n_tx=3, draws=6))
    assert sorted(cell.channel.model for cell in some) == ["file", "rician", "tdl-c"]  # a cell of the file for both models
    (own,) = (cell for cell in some if cell.channel.file is not None)
    assert torch.equal(channels(own).h, h)
    channel = {"file": ["h.npy", None], "model": "rician", "n_rx": 2, "n_tx": 3, "draws": 6}
    methods = [{"name": "closed-form"}, {"name": "eigen-k", "at": {"channel.file": "h.npy"}}]
    content = cells(read_study(write_study(tmp_path, seeds=[1], channel=channel, methods=methods, references=False)))
    assert sorted((cell.method.name, cell.channel.model) for cell in content if cell.snr == content[0].snr) == [
        ("closed-form", "file"),
        ("closed-form", "rician"),
        ("eigen-k", "file"),
    ]


def test_a_method_may_have_a_file_of_its_own(tmp_path):
    h = measured(tmp_path / "h.npy")
    path = write_study(tmp_path, seeds=[1], methods=[{"name": "closed-form", "at": {"channel.file": "h.npy", "channel.antennas": None}}])
    content = cells(read_study(path))
    link = next(cell for cell in content if cell.method.family != "reference")
    assert torch.equal(channels(link).h, h)


def test_a_cell_is_the_same_after_a_way_through_its_values(tmp_path):
    measured(tmp_path / "h.npy")
    cell, _ = cells(study(tmp_path, file="h.npy", normalise=True))
    assert type(cell).model_validate(cell.model_dump()).id == cell.id
    sent = pickle.loads(pickle.dumps(cell))  # as to a worker of another process
    assert torch.equal(channels(sent).h, channels(cell).h)


@pytest.mark.parametrize(
    ("channel", "match"),
    [
        ({"file": "absent.npy"}, r"channel: file: absent\.npy: there is no such file"),
        ({"file": "h.npy", "antennas": 4}, r"channel: n_rx must be 2|channel: antennas must be 2, got 4; h\.npy holds 6 channels of 2×3"),
        ({"file": "h.npy", "n_tx": 2}, r"channel: n_tx must be 3, got 2"),
        ({"file": "h.npy", "draws": 7}, r"channel: draws must be at most 6, the channels of h\.npy, got 7"),
        ({"file": "h.npy", "axes": "rx n tx", "n_rx": 2}, r"channel: n_rx must be 6, got 2; .*are its axes others"),
        ({"file": "h.npy", "axes": "sideways"}, r"must name rx and tx"),
        ({"file": "uses.npy", "axes": "latentlink", "uses": 2}, r"channel: uses must be 4, got 2"),
        ({"file": "h.npy", "model": "rician"}, r"channel: model must be left out where file brings the channels, got 'rician'"),
        ({"file": "h.npy", "gain": 0.5}, r"channel: gain must be left out, got 0\.5: .*normalise: true scales it"),
        ({"file": "zero.npy"}, r"all channels of zero\.npy are zero"),
        ({"model": "file"}, r"model is file, so that file must name one"),
        ({"axes": "matlab"}, r"axes belong to a file of channels"),
        ({"file": 3}, r"channel\.file"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*zero.npy:UserWarning")
def test_what_contradicts_the_file_is_told_before_anything_runs(tmp_path, channel, match):
    measured(tmp_path / "h.npy")
    measured(tmp_path / "uses.npy", uses=4)
    measured(tmp_path / "zero.npy", scale=0.0)
    with pytest.raises(ValueError, match=match):
        cells(study(tmp_path, **channel))


def smooth(path, n=150, uses=6):
    """Write channels of three paths over six subcarriers, whose uses depend on one another."""
    generator = np.random.default_rng(0)
    paths = generator.normal(size=(n, 2, 3, 3)) + 1j * generator.normal(size=(n, 2, 3, 3))
    turns = np.exp(-0.2j * np.outer(np.arange(uses), np.arange(3)))
    np.save(path, np.einsum("nrtl,ul->nurt", paths, turns) / 6**0.5)


@pytest.mark.parametrize("estimator", ["ls", "lmmse"])
@pytest.mark.parametrize("robust", [False, True])
def test_estimates_of_measured_channels_err_as_much_as_they_say(tmp_path, estimator, robust):
    """Within 8 %: 150 channels × 6 pairs × 3 paths; the covariance over the uses helps an estimator that knows it."""
    smooth(tmp_path / "h.npy")
    methods = [{"name": "closed-form", "robust": robust}]
    path = write_study(tmp_path, channel={"file": "h.npy", "axes": "latentlink"}, seeds=[1], snr={"snr_db": 10}, references=False,
                       csi={"known": "both-ends", "estimator": estimator, "pilot_snr_db": 10}, methods=methods)  # fmt: skip
    (cell,) = cells(read_study(path))
    there = draw_situation(cell, CPU)
    assert torch.equal(there.truth.h, channels(cell).h)
    for seen in (there.estimate, there.received):
        measured_error = (seen.h - there.truth.h).abs().square().mean().item()
        assert measured_error == pytest.approx(seen.error_variance.mean().item(), rel=0.08)
        assert (measured_error < 0.07) == (estimator == "lmmse")  # 0.1 by pilots of their own


def test_every_case_of_csi_goes_with_measured_channels_and_one_matrix_serves_all_uses(tmp_path):
    measured(tmp_path / "h.npy", n=50, n_rx=2, n_tx=2)
    known = ["perfect", "both-ends", "transmitter", "receiver-only", "transmitter-only", "unaware"]
    path = write_study(tmp_path, channel={"file": "h.npy", "uses": 2, "normalise": True, "draws": 20}, seeds=[1], methods=ONE,
                       snr={"snr_db": 10}, csi={"known": known, "pilot_snr_db": 0}, references=False)  # fmt: skip
    rows = run(path, tmp_path / "r")
    error = dict(rows.group_by("csi").agg(pl.col("nmse").mean()).iter_rows())
    assert sorted(error, key=error.get)[0] == "perfect"
    assert [case for case in known if error[case] > 1] == ["unaware"]
    taken = rows.filter(pl.col("csi") == "both-ends")["error_variance"].to_list()
    assert taken == pytest.approx([0.5] * 20, rel=1e-6)  # gain 1 and pilots of 0 dB


def test_estimates_with_an_age_or_of_few_channels_of_files_are_refused(tmp_path):
    measured(tmp_path / "h.npy", n=50)
    measured(tmp_path / "few.npy", uses=4)
    for channel, csi, match in (
        ({"file": "h.npy"}, {"delay_ms": 1}, r"csi\.delay_ms must be 0 for channels of a file.*age_channel"),
        (
            {"file": "few.npy", "axes": "latentlink"},
            {},
            r"from 6 channels × 6 antenna pairs, of which there must be 20 for each of the 4 use",
        ),
    ):
        path = write_study(tmp_path, channel=channel, csi={"known": "both-ends", **csi}, methods=ONE)
        with pytest.raises(ValueError, match=match):
            cells(read_study(path))


def test_data_and_encoders_of_files_have_the_names_that_the_study_gives(tmp_path):
    path = write_study(tmp_path, seeds=[1], methods=ONE)
    usual = run(path, tmp_path / "r")
    assert usual.select("dataset", "transmitter", "receiver").unique().row(0) == ("latents", "train-transmitter.npy", "train-receiver.npy")
    named = ("data.name=STL-10", "data.transmitter=ViT-B", "data.receiver=ResNet")
    experiment = open_experiment(path, named, output=tmp_path / "unused")
    assert [cell.id for cell in experiment.cells] == [cell.id for cell in cells(read_study(path))]  # a name changes no result
    assert run(path, tmp_path / "r", overrides=named).select("dataset", "transmitter", "receiver").unique().row(0) == (
        "STL-10", "ViT-B", "ResNet",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"data: transmitter names the encoder of files of latents, and dataset is digits"):
        cells(read_study(path, ("data.dataset=digits", "data.folder=null", "data.transmitter=ViT")))


def test_a_folder_of_latents_lies_beside_its_study_wherever_it_is_run_from(tmp_path, monkeypatch):
    path = write_study(tmp_path / "lab", seeds=[1], methods=ONE, data={})
    path.write_text(path.read_text().replace(str(tmp_path / "lab" / "latents"), "latents"))
    monkeypatch.chdir(tmp_path)
    assert len(run(path, tmp_path / "r").filter(pl.col("family") != "reference")) == 4
    with pytest.raises(ValueError, match=r"data\.folder must hold train-transmitter\.npy .*elsewhere"):
        ll.studies.run(path, ["data.folder=elsewhere"], output=tmp_path / "s")


def test_shards_of_latents_are_read_and_known_by_their_content(tmp_path):
    path = write_study(tmp_path, seeds=[1], methods=ONE)
    folder = tmp_path / "latents"
    x = np.load(folder / "train-transmitter.npy")
    (folder / "train-transmitter.npy").unlink()
    (folder / "train-transmitter").mkdir()
    for number, part in enumerate(np.array_split(x, 3)):
        np.save(folder / "train-transmitter" / f"part-{number}.npy", part)
    ids = {cell.id for cell in cells(read_study(path))}
    assert len(run(path, tmp_path / "r")) == 7
    np.save(folder / "train-transmitter" / "part-0.npy", np.array_split(x, 3)[0] + 1)
    assert not {cell.id for cell in cells(read_study(path))} & ids
