"""Trainings ahead of their designs: many networks as one batch, of which each leaves its finished state in its checkpoint.

`Neural.design` with that checkpoint then has nothing left to train, and goes right on to its solution.
"""

from collections.abc import Sequence

from latentlink.neural.paper.design import NeuralJob, NeuralTraining
from latentlink.neural.paper.loop import PairLoop
from latentlink.neural.paper.scaling import SharedPilots
from latentlink.neural.paper.together import go_on_together
from latentlink.neural.training_loop import Checkpoint, TrainingProgress
from latentlink.numerics.gradients import with_gradients


@with_gradients
def train_ahead(jobs: Sequence[NeuralJob], progress: TrainingProgress | None = None) -> None:
    """Train networks to their ends, those of one shape as one batch (see `together`), and leave their states in their checkpoints.

    A job that cannot begin is left out, since its own design will say why: its settings, pilots, channel or checkpoint are refused.
    So is one without a checkpoint, and one of whose signal nothing arrives, which needs no training.

    Args:
        jobs: one design each; equal pilots and seeds share their latents in memory.
        progress: callback after each epoch of each network with (epoch, epochs, training error, validation error); an exception that it
            raises ends all, whose states are then stored.
    """
    shared: SharedPilots = {}
    begun = [training for job in jobs if (training := _begin(job, shared)) is not None]
    by_loop = {id(training.loop): training for training, _ in begun}

    def report(loop: PairLoop) -> None:
        if progress is not None:
            by_loop[id(loop)].show(progress)

    go_on_together([(training.loop, checkpoint) for training, checkpoint in begun], report)


def _begin(job: NeuralJob, shared: SharedPilots) -> tuple[NeuralTraining, Checkpoint] | None:
    """The training of a job from where its checkpoint left it, or None."""
    if job.checkpoint is None:
        return None
    try:
        training = NeuralTraining.of_job(job, shared)
        checkpoint = training.checkpoint(job.checkpoint)
        checkpoint.restore(training.loop.resume)
    except ValueError:
        return None
    return (training, checkpoint) if training.can_send else None
