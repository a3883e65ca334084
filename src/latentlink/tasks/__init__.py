"""Tasks of the receiver: heads that decide, objectives to train by, and metrics of what was understood.

Read `heads`, then `metrics`, then `objectives`, which are computed on coefficients.
"""
