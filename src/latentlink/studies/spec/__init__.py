"""From a study file to the cells that are run.

Read `cell` (one design measured at one point), `study` (what a file may say), `plug_in` and `own_modules` (own code by
`module:attribute`),
`overrides` (changes by dotted name), `reading` (a file, checked) and `grid` (the product over all lists).
"""
