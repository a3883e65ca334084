"""Reports of studies from their result files alone: one HTML page, and figures for papers.

Read in this order: `columns` (what rows have, and in which words), `axes` (where rows lie), `arrange` (labels, points and conditions, once
for each axis), `curves` (means and bands), `palette` (how methods look), `plots` (what is drawn, whichever program draws it), `figures` (by
matplotlib) and `interactive` (by plotly). Of the page's parts, `tables` compares methods, `run_tables` says how it was run, `outage` looks
at the worst channels, `digital` at the points where digital links win; `page` puts all of them together.
"""
