"""Linear links: the exact design of semantic precoder and decoder, for any power limit and any channel state information.

Read `goal` (what the receiver wants), `modes` (what two devices agree on once), `re_encoding` (what becomes of them where the transmitter
has changed), `transceiver` (the link) and `mse` (its error from second moments). Then `closed_form` (the theorem), `per_message` (messages
that are scaled one by one), `robust/` (channels known up to an error),
`csi_cases` (who knows the channel; `csi_solutions` has what they share), `csi_names` (their words) and `design` (the class that puts it
together). `held_out` and `goal_choice` judge by pilots that the design has not seen; `admm/` designs where no exact answer is known.
"""
