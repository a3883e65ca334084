"""Readers: the latents, labels and channels of users, from files, shards, frames and data sets, checked and turned into tensors.

Read `latents`, `labels`, `channels` and `pairing` first (what is demanded of each), then `sources` and `opening` (which files a path stands
for), `containers`, `matlab`, `matlab_tags`, `lines`, `delimited`, `frames`, `pandas_frames`, `arrow_types`, `arrow_files` and `tables` (the
formats), `columns` and `ids` (what columns are by their names), `partial` and `rows` (some rows without the others), `following`,
`text_lines`, `arrays_in_turn` and `streams` (messages as they arrive), `hub` (paths of Hugging Face), `pooling` and `axes` (what the axes
mean), `content` and `strays` (the checks of all of them), `images`, and `writing`.
"""
