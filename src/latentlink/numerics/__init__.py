"""Numerical helpers that all other packages use; they depend on none of them.

Read `validation` first (arguments held to the annotations of what is called), `expectations` (its words) and `doors` (what an annotation
cannot say), then `division`, `seeds` (independent random streams), the two optimisers `minimise` (smooth) and `ascend` (concave, with
kinks), `parts` (objects as their tensors) and `gradients` (training in any mode), then `identity`, `threads`, `progress`, `reprs` and
`extras`.
"""
