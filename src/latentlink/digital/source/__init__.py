"""Source codes: latents as payloads of any number of bits.

Read `latent_code` (which coefficients, which code), then `transform` (quantiser, tables, range coder) and `vectors` (few bits).
"""
