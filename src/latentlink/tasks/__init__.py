"""Tasks of the receiver: heads that decide, objectives to train by, and metrics.

Read `heads`, then `metrics`, then `objectives`, which are computed on coefficients.
"""
