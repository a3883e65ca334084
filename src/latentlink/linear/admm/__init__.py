"""The alternating direction method of multipliers (ADMM) for linear pairs under power limits and other constraints, with its lower bounds.

Read `iteration` first, whose `step` is the method's four updates, then `problem` (what the updates compute), `constraints` (what a
precoder may be), `design` (the class `Admm`), and last what certifies and refines the result: `dual_bound` and `antenna_selection`.
"""
