"""From a cell to its rows of results.

Read `situation` (channels, and what is known of them), `gain_control` (all links at the same measured power), `measure` (a cell's rows and
latencies), `cost` (the seconds that cells are expected to take) and `runner` (several cells at a time, resumable).
"""
