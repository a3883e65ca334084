"""Numerical helpers that all other packages use; they depend on none of them.

Read `doors` first (the argument checks of public functions), then `division`, `seeds` (independent random streams), the two optimisers
`minimise` (smooth) and `ascend` (concave, with kinks), `parts` (objects as their tensors) and `gradients` (training in any mode), then
`identity`, `threads`, `progress`, `reprs` and `extras`.
"""
