"""Reports of studies from their result files alone: one HTML page, and figures for papers.

Read in this order: `columns` (the columns of rows, in words), `axes` (where rows lie), `arrange` (labels, points and conditions, once for
each axis), `curves` (means and bands), `palette` (looks of methods), `plots` (plots as data), `figures` (by matplotlib) and `interactive`
(by plotly). Of the page's parts, `changes` says what differs from the study file, `paired` and `findings` which methods win and tie,
`tables` compares methods and says how they ran, `outage` looks at the worst channels, `networks` at users, bounds and
games, `digital` at the points where digital links win;
`pilot_prices` says what pilots cost; `watching` draws what a watch saw; `page` puts all of them together.
"""
