from .design import Digital
from .transceiver import DigitalTransceiver

__all__ = ["Digital", "DigitalTransceiver"]
