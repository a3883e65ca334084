from .averages import summarise
from .dictionary import describe_columns
from .experiments import Experiment, open_experiment, report, results, run
from .knowledge import PilotKnowledge
from .spec.plug_in import PlugInError
from .spec.reading import make_study, read_study
from .spec.study import Study

__all__ = [
    "Experiment",
    "PilotKnowledge",
    "PlugInError",
    "Study",
    "describe_columns",
    "make_study",
    "open_experiment",
    "read_study",
    "report",
    "results",
    "run",
    "summarise",
]
