from .agreement import AgreementTest
from .memory import Memory, remember
from .running_modes import RunningModes
from .watch import Watch

__all__ = ["AgreementTest", "Memory", "RunningModes", "Watch", "remember"]
