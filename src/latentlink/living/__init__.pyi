from .running_modes import RunningModes

__all__ = ["RunningModes"]
