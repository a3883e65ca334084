"""The random streams of a study: every draw has a name, and its seed is the hash of that name and of the cell's seed.

Methods and SNRs of a study share the streams of channels and noise, so that they are compared on the same draws (see `numerics.seeds`).
"""

from latentlink.numerics.seeds import Stream


class Draw(Stream):
    """The draws of a study; each member is used in one place."""

    PILOTS = "pilots"
    NEWS = "new observations after a change"
    ALARMS = "noise of watched messages"
    CHANNELS = "channels"
    STATISTICS = "channel statistics"
    ESTIMATES = "channel estimates"
    LINKS = "channels of further links of a network"
    SURFACES = "paths over a surface"
    PHASES = "phases of sensors"
    RANDOM_PHASES = "random phases of a surface"
    NOISE = "receiver noise"
    BLOCKS = "noise of lost blocks"
    DESIGN = "design"
    LEFT_OPEN = "channels that an estimate leaves open"
    TRAINING_CHANNELS = "channels to train on"
