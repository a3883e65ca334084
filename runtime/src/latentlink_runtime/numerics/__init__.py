"""Numerics that NumPy lacks: read `gelu`, then `waterfilling`."""
