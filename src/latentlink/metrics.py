"""What a link achieved: task accuracy, errors of the latent, power peaks, operations and latency."""

from latentlink.evaluation.amplifier import Amplifier
from latentlink.evaluation.figures import Evaluation, RegressionFigures, RetrievalFigures
from latentlink.evaluation.latency import MeasuredLatency, latency
from latentlink.evaluation.papr import Peaks, peaks
from latentlink.links.operation_count import OperationCount
from latentlink.tasks.metrics import Accuracy, Rate, accuracy, agreement, mse, nmse

__all__ = [
    "Accuracy",
    "Amplifier",
    "Evaluation",
    "MeasuredLatency",
    "OperationCount",
    "Peaks",
    "Rate",
    "RegressionFigures",
    "RetrievalFigures",
    "accuracy",
    "agreement",
    "latency",
    "mse",
    "nmse",
    "peaks",
]


def __dir__() -> list[str]:
    return __all__
