"""Methods of studies: parameters in a file, and the designs that they stand for.

Read `method` (what all of them have), then `linear`, `baselines` (and ceilings and floor), `neural`, `codec`,
`decision`, `codec_or_decision` and `digital` (one for each family); of networks `network_situation` (their links, and those of users),
`network` and `networks`; `own` (a class outside of the package) and `catalogue` (all of them by name).
"""
