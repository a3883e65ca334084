"""The random streams of trainings: every draw of the codec and of the paper's networks has a name (see `numerics.seeds`).

Draws for different purposes, and from different seeds, are independent: validation channels of one seed are no training channels of the
next, and a training with dropout meets the same noise as one without.
"""

from latentlink.numerics.seeds import Stream


class CodecDraw(Stream):
    """The draws of a codec's training."""

    WEIGHTS = "codec: first weights"
    CALIBRATION = "codec: pilots to set the power by"
    CALIBRATION_NOISE = "codec: noise by which an error is expected"
    SPLIT = "codec: pilots that are held back"
    FOLDS = "codec: folds of cross-fitting"
    TRAINING_CHANNELS = "codec: channels to train on"
    VALIDATION_CHANNELS = "codec: channels to validate on"
    GATE_CHANNELS = "codec: channels to set the gate by"
    POWER_CHANNELS = "codec: channels to fit the power to"
    TIMED_CHANNELS = "codec: channels to estimate the training's time by"
    IDENTITY = "codec: channels that distinguish distributions"
    ORDER = "codec: order of channels and pilots"
    AUGMENTATION = "codec: partners and sizes of augmentation"
    DISTURBANCE = "codec: noise and moves of augmentation"
    DROPOUT = "codec: hidden units left out"
    TRAINING_NOISE = "codec: noise in training"
    VALIDATION_NOISE = "codec: noise in validation"
    GATE_NOISE = "codec: noise to set the gate by"
    PRUNING_NOISE = "codec: noise to rank units by"


class NetworkDraw(Stream):
    """The draws of the training of the paper's networks."""

    WEIGHTS = "networks: first weights"
    SPLIT = "networks: pilots that are held back"
    ORDER = "networks: order of pilots"
    TRAINING_NOISE = "networks: noise in training"
    VALIDATION_NOISE = "networks: noise in validation"
