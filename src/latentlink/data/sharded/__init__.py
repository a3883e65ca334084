"""Latents beyond memory: moments, marginals, samples and evaluation of sources that are larger than memory, resumable.

Read `paired_rows` first (the rows of two ends, however their files are cut), then `checkpoint` and `accumulate` (what is known so far,
merged block by block and stored), `second_order` (moments and marginals), `sample` (some pairs of all) and `evaluation`.
"""
