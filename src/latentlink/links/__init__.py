"""Links: the interface that every transceiver has, and the solution that every design returns.

Read `transceiver` (the protocol, and the defaults that every transceiver inherits), `solution` (what a design returns) and
`status`, `own` (how an object with `encode` and `decode` alone becomes a transceiver), `transmit`, `calibration` (power
brought to the budget) and `modules` (links as `nn.Module`s).
`shapes` checks arguments, `operation_count` says how operations are counted, `link_file` gives the tensors and facts of their files.
"""
