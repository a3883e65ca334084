"""Tasks of the receiver: heads that decide, objectives to train by, and metrics.

Read `heads` and `regression`, then `metrics`, `numbering` (labels that a head does not know), then `judges` (losses and scores, computed on
coefficients) and `objectives`, which name them.
"""
