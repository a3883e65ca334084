"""Running ends: read `layout`, `transmit` and `receive`, which have no sockets and no clocks, `air`, then `processes` and `commands`.

What others see of a process is `loopback` (a server for this machine alone), `metrics`, and `view`, the live page.
"""
