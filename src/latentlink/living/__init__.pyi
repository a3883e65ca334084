from .agreement import AgreementTest
from .running_modes import RunningModes
from .watch import Watch

__all__ = ["AgreementTest", "RunningModes", "Watch"]
