from .adaptation import BlockError, Genie
from .design import AtReceiver, AtTransmitter, Digital
from .genie import GenieTransceiver
from .source.latent_code import LatentCode
from .transceiver import DigitalTransceiver

__all__ = ["AtReceiver", "AtTransmitter", "BlockError", "Digital", "DigitalTransceiver", "Genie", "GenieTransceiver", "LatentCode"]
