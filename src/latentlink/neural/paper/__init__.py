"""The paper's neural design: a complex MLP at either end, trained for one channel matrix [pandolfo2025latent].

Read `layers` (complex layers in real arithmetic), `design` (`Neural`, what is called), `loop` (how a pair is trained) on `scaling` (what it
sees of pilots), `together` (many pairs at once), `ahead` (which leaves them for later designs), `pruning` (thresholds and
budgets), and `transceiver` (what runs on the devices).
"""
