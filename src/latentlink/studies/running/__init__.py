"""From a cell to its rows of results.

Read `situation` (channels, and the knowledge of them), `gain_control` (all links at the same measured power), `measure` (a cell's rows and
latencies), `network_links` and `measure_network` (the same of networks), `workbench` (what a process keeps from one cell to the next),
`cost` (the seconds that cells are expected to take), `ahead` (networks of several cells trained as one batch) and `runner` (several cells
at a time, here or on a cluster, resumable).
"""
