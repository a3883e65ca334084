"""Parallel streams: what any channel offers a message, once the SVD has taken its antennas apart.

Read `spatial` (the SVD of every use, pooled and sorted), `waterfilling` (how much power or error each stream gets), `allocation` (which
semantic mode goes over which symbol), `placement` (what comes of it: the real precoder of a batch of channels), `per_use` (limits that
no allocation over parallel streams meets) and `projections` (precoders scaled into limits).
"""
