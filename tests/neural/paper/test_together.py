"""Networks that are trained together end as they do alone."""

from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.neural.paper.ahead import train_ahead
from latentlink.neural.paper.design import NeuralJob, design_together
from latentlink.neural.paper.loop import PairLoop
from neural.paper.networks_small import channel, pilots, small

DATA = pilots()


def jobs():
    """Channels, SNRs, seeds, thresholds, pilots and an uncertain channel; the last ones are of another shape."""
    rows = [(small(), DATA, channel(seed=seed, snr_db=snr_db)) for seed in (1, 2) for snr_db in (0.0, 20.0)]
    rows += [(small(seed=3), DATA, channel()), (small(seed=4), pilots(seed=5), channel())]
    rows += [(small(pruning=ll.HardThreshold(strength)), DATA, channel()) for strength in (20.0, 60.0)]
    rows += [(small(budget=ll.budget.Weights(0.3)), DATA, channel()), (small(epochs=40, patience=1), DATA, channel(seed=6))]
    rows += [(small(), DATA, channel(n_rx=3, uses=2)), (small(), DATA, channel().estimated(0.05, generator=0))]
    rows += [(small(), DATA, replace(channel(), power=torch.zeros(())))]
    return [NeuralJob(*row) for row in rows]


def test_all_end_as_they_do_alone():
    together = design_together(jobs())
    for job, solution in zip(jobs(), together, strict=True):
        alone = job.network.design(job.pilots, job.channel, progress=False)
        assert solution.status.equal(alone.status)
        assert len(solution.trace["training_mse"]) == len(alone.trace["training_mse"])
        torch.testing.assert_close(solution.trace["density"], alone.trace["density"], atol=0.01, rtol=0.0)
        torch.testing.assert_close(solution.expected_mse, alone.expected_mse, rtol=2e-2, atol=1e-6)
        x = DATA.x[:8]
        torch.testing.assert_close(solution.transceiver.encode(x), alone.transceiver.encode(x), rtol=0.05, atol=0.02)


def test_the_first_epochs_agree_to_rounding():
    short = [job._replace(network=small(epochs=2, seed=job.network.seed)) for job in jobs()[:6]]
    for job, solution in zip(short, design_together(short), strict=True):
        alone = job.network.design(job.pilots, job.channel, progress=False)
        torch.testing.assert_close(solution.trace["training_mse"], alone.trace["training_mse"], rtol=1e-5, atol=0.0)
        torch.testing.assert_close(solution.trace["validation_mse"], alone.trace["validation_mse"], rtol=1e-5, atol=0.0)


class Interruption(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("goes_on", ["together", "alone"])
def test_an_interrupted_batch_goes_on(tmp_path, goes_on):
    def stop(epoch, epochs, training, validation):
        if epoch == 3:
            raise Interruption

    stored = [job._replace(checkpoint=tmp_path / f"{number}.pt") for number, job in enumerate(jobs()[:5])]
    whole = design_together(jobs()[:5])
    with pytest.raises(Interruption):
        design_together(stored, stop)
    assert len(list(tmp_path.iterdir())) == 5
    sizes = {path.stat().st_size for path in tmp_path.iterdir()}
    assert max(sizes) < 40_000  # of one training, not of five
    if goes_on == "together":
        ended = design_together(stored)
    else:
        ended = [job.network.design(job.pilots, job.channel, checkpoint=job.checkpoint, progress=False) for job in stored]
    for one, other in zip(ended, whole, strict=True):
        assert len(one.trace["training_mse"]) == 6
        tolerance = 0.0 if goes_on == "together" else 1e-4
        torch.testing.assert_close(one.trace["validation_mse"], other.trace["validation_mse"], rtol=tolerance, atol=0.0)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    def stop(*_):
        raise Interruption

    job = jobs()[0]._replace(checkpoint=tmp_path / "0.pt")
    with pytest.raises(Interruption):
        design_together([job], stop)
    with pytest.raises(ValueError, match="checkpoint must be of the same settings, pilots and channel"):
        design_together([job._replace(channel=channel(seed=9))])


def test_trainings_ahead_leave_nothing_to_train(tmp_path, monkeypatch):
    short = jobs()[:6] + jobs()[-1:]
    stored = [job._replace(checkpoint=tmp_path / f"{number}.pt") for number, job in enumerate(short)]
    (tmp_path / "1.pt").write_bytes(b"no state")
    refused = NeuralJob(small(), pilots(n=1), channel(), tmp_path / "refused.pt")
    train_ahead([*stored, refused, jobs()[0]])
    whole = design_together(short)
    monkeypatch.setattr(PairLoop, "train", None)
    with pytest.raises(ValueError, match="checkpoint must be one of a training"):
        stored[1].network.design(DATA, stored[1].channel, checkpoint=stored[1].checkpoint, progress=False)
    (tmp_path / "1.pt").unlink()
    for number, (job, solution) in enumerate(zip(stored, whole, strict=True)):
        if number != 1:
            found = job.network.design(job.pilots, job.channel, checkpoint=job.checkpoint, progress=False)
            assert found.status.equal(solution.status)
            torch.testing.assert_close(found.expected_mse, solution.expected_mse, rtol=2e-2, atol=1e-6)
    assert not list(tmp_path.iterdir())
