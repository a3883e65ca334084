"""What is put on the two devices, whoever designed it: the protocol of a transceiver, and the solution that every design returns.

Read `transceiver` (the protocol), `base` (what every transceiver has without writing it), `solution` (statuses, and what a design
returns), `own` (how an object with `encode` and `decode` alone becomes a transceiver) and `transmit`; `shapes`, `operations` and `stored`
are what those use.
"""
