"""Objectives that codecs are trained for: the public names of `tasks/objectives`."""

from latentlink.tasks.objectives import Cosine, HeadDivergence, Objective, Regression, Retrieval

__all__ = ["Cosine", "HeadDivergence", "Objective", "Regression", "Retrieval"]


def __dir__() -> list[str]:
    return __all__
