import pytest
import torch

import latentlink as ll
from latentlink.numerics.seeds import stream_generator


def drawn(count=3000, seed=0, **changes):
    return ll.channels.ChannelDraws(**changes).draw(count, torch.Generator().manual_seed(seed))


def test_sizes_uses_and_snr_come_up_as_told():
    channels = drawn(6000, antennas=(1, 4), uses=(1, 2), snr_db=(-5.0, 15.0))
    assert sum(len(channel.h) for channel in channels) == 6000
    small = sum(len(channel.h) for channel in channels if channel.n_tx == 1)
    assert small / 6000 == pytest.approx(2 / 3, abs=0.03)  # in proportion to 1/√n
    assert sum(len(channel.h) for channel in channels if channel.uses == 2) / 6000 == pytest.approx(0.5, abs=0.03)
    snr_db = torch.cat([channel.snr_db for channel in channels])
    assert snr_db.min() >= -5 - 1e-9
    assert snr_db.max() <= 15 + 1e-9
    assert float(snr_db.mean()) == pytest.approx(5, abs=0.3)
    fades = [bool((channel.h[:, 0] == channel.h[:, 1]).all()) for channel in channels if channel.uses == 2]
    assert sorted(fades) == [False, False, True, True]  # of two sizes each


@pytest.mark.parametrize("model", ["rayleigh", "rician", "kronecker"])
def test_fading_has_its_gain_and_correlation(model):
    (channel,) = drawn(4000, antennas=(3,), uses=(1,), model=model, gain=0.5, correlation=0.8)
    h = channel.h.squeeze(1)
    assert float(h.abs().square().mean()) == pytest.approx(0.5, rel=0.05)
    if model == "rician":
        return  # a line of sight correlates neighbours by itself
    neighbours = float((h[:, :, 0] * h[:, :, 1].conj()).real.mean() / h.abs().square().mean())
    assert neighbours == pytest.approx(0.8 if model == "kronecker" else 0.0, abs=0.06)


def test_the_seed_decides():
    first, second, other = drawn(50), drawn(50), drawn(50, seed=1)
    assert all(torch.equal(a.h, b.h) for a, b in zip(first, second, strict=True))
    assert [a.h.shape for a in first] != [a.h.shape for a in other] or not torch.equal(first[0].h, other[0].h)
    assert isinstance(ll.channels.ChannelDraws(), ll.channels.ChannelSource)
    by_seed, by_generator = (ll.channels.ChannelDraws().draw(5, source) for source in (3, stream_generator(3, "channels")))
    assert all(torch.equal(a.h, b.h) for a, b in zip(by_seed, by_generator, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"antennas": ()}, "antennas must be a tuple of integers >= 1, at least one"),
        ({"uses": (0,)}, "uses must be an integer >= 1, got 0"),
        ({"snr_db": (3.0, 1.0)}, "snr_db must be"),
        ({"gain": 0.0}, "gain must be a finite number > 0"),
        ({"correlation": 1.0}, "correlation must be"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ll.channels.ChannelDraws(**changes)


class TestStandardDraws:
    @pytest.fixture(autouse=True)
    def own_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path))

    def test_sizes_uses_and_snrs_come_from_the_bank(self):
        draws = ll.tr38901.StandardDraws(model=ll.tr38901.Model("TDL-C"), antennas=(1, 2), uses=(1, 3), snr_db=(0, 10), bank=10)
        batches = draws.draw(200, torch.Generator().manual_seed(1))
        assert sum(len(batch.h) for batch in batches) == 200
        assert {batch.h.shape[1:] for batch in batches} == {(u, n, n) for u in (1, 3) for n in (1, 2)}
        assert all((batch.snr_db >= -1e-9).all() and (batch.snr_db <= 10 + 1e-9).all() for batch in batches)
        again = draws.draw(200, torch.Generator().manual_seed(1))
        assert all(torch.equal(a.h, b.h) for a, b in zip(batches, again, strict=True))

    @pytest.mark.parametrize(
        ("settings", "match"), [({"bank": 0}, "bank must be"), ({"antennas": ()}, "antennas"), ({"subcarriers": 1}, "subcarriers")]
    )
    def test_mistakes_are_named(self, settings, match):
        with pytest.raises(ValueError, match=match):
            ll.tr38901.StandardDraws(model=ll.tr38901.Model("TDL-C"), **settings)
