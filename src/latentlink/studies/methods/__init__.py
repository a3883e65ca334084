"""What a study can name as a method.

Read `method`, `linear`, `baselines`, `neural`, `codec`, `digital`, `references`, `own` (a class outside of the package), and `catalogue`.
"""
