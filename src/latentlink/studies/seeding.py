"""The random streams of a study: every draw has a name, and its seed is the hash of that name and of the cell's seed.

Streams of different names or seeds have nothing to do with each other, up to a collision of hashes (see `numerics.seeds`). Methods and SNRs
of a study share the streams of channels and noise, so that they are compared on the same draws.
"""

from latentlink.numerics.seeds import Stream


class Draw(Stream):
    """What a study draws; each member is used in one place."""

    PILOTS = "pilots"
    CHANNELS = "channels"
    STATISTICS = "channel statistics"
    ESTIMATES = "channel estimates"
    NOISE = "receiver noise"
    BLOCKS = "noise of lost blocks"
    DESIGN = "design"
    TRAINING_CHANNELS = "channels to train on"
