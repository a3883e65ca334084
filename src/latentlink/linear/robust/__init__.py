"""Robust designs: precoders for channels that are known up to an error, H = H̄ + E with E i.i.d. CN(0, τ).

Read `both_ends` (both ends share the estimate: its error is noise; the candidates by name), then `at_transmitter` (the
receiver measures: only the precoder is uncertain) and `pre_equalised` (the receiver knows statistics only).
"""
