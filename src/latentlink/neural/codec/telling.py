"""Who is told of a training's rounds, and when its state is kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentlink.neural.codec.rounds import Training

_KEEP_EVERY_S = 10.0  # at most so much of a training is lost when the process dies

Progress = Callable[[int, int, float, float], Any]


@dataclass(eq=False)
class Teller:
    """Tells of each round whoever wants to know, and keeps the state: every few seconds, and where whoever is told wants to stop."""

    checkpoint: Path | None
    identity: str
    progress: Progress | None
    logger: Any
    kept: float = field(default_factory=time.monotonic)

    def __call__(self, training: Training) -> None:
        due = time.monotonic() - self.kept > _KEEP_EVERY_S
        (loss, validation), score = training.losses[-1], training.scores[-1]
        try:
            if self.logger is not None:
                for name, value in (("loss/training", loss), ("loss/validation", validation), ("score/validation", score)):
                    self.logger.add_scalar(name, value, training.round)
            if self.progress is not None:
                self.progress(training.round, training.schedule.rounds, loss, score)
        except BaseException:
            due = True
            raise
        finally:
            if due and self.checkpoint is not None:
                training.save(self.checkpoint, self.identity)
                self.kept = time.monotonic()
