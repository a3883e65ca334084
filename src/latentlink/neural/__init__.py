"""Networks as precoders and decoders: the paper's, trained for one channel, and the codec, trained once for all channels.

Read `training_loop` (the loop that trains both), then one of the two rooms inside, `paper` or `codec`.
"""
