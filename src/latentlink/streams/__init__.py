"""Parallel streams: the scalar channels that the SVD of a MIMO channel offers, and the precoders and decoders that use them.

Read `spatial` (the SVD of every use, pooled and sorted), `waterfilling` (the power or the error of each stream), `allocation` (which
semantic mode goes over which symbol, and the precoders and decoders that follow), `per_use` (power limits on each use, which need streams
mixed over symbols), `projections` (precoders scaled into power limits) and `power_limit` (the base of the limits in `power`).
"""
