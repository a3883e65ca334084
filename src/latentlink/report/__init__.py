"""Reports of studies from their result files alone: one HTML page, and figures for papers.

Read in this order: `columns` (what rows have), `arrange` (labels, points and conditions, once for each axis), `curves` (means and bands),
`plots` (what is drawn, whichever program draws it), then `figures` (matplotlib) and `interactive` (plotly). Of the page's parts, `tables`
compares methods, `run_tables` says how it was run, `distributions` and `outage` look at the worst channels, `trade_off` at costs, `digital`
at the points where digital links win; `page` puts all of them together. `look` has the axes, colours and words.
"""
