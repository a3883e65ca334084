"""From a cell to its rows of results.

Read `situation` (channels, and the knowledge of them), `gain_control` (all links at the same measured power), `measure` (a cell's rows and
latencies) and `runner` (several cells at a time, resumable, and the seconds that they are expected to take).
"""
