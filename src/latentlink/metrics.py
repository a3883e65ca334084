"""What a link achieved: task accuracy, errors of the latent, power peaks, operations and latency."""

from latentlink.evaluation.amplifier import Amplifier
from latentlink.evaluation.clusters import clustering
from latentlink.evaluation.figures import ClusteringFigures, Evaluation, RegressionFigures, RetrievalFigures
from latentlink.evaluation.latency import MeasuredLatency, latency
from latentlink.evaluation.papr import Peaks, peaks
from latentlink.links.operation_count import OperationCount
from latentlink.tasks.metrics import Accuracy, Rate, accuracy, agreement, mse, nmse

__all__ = [
    "Accuracy",
    "Amplifier",
    "ClusteringFigures",
    "Evaluation",
    "MeasuredLatency",
    "OperationCount",
    "Peaks",
    "Rate",
    "RegressionFigures",
    "RetrievalFigures",
    "accuracy",
    "agreement",
    "clustering",
    "latency",
    "mse",
    "nmse",
    "peaks",
]


def __dir__() -> list[str]:
    return __all__
