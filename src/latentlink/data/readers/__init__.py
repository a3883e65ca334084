"""Files of users: one array out of a container, checked and turned into a tensor.

Read `files` first (latents, labels, channels and images, and what is demanded of them), then `containers` (the formats) and `tables`
(the columns of a Parquet file).
"""
