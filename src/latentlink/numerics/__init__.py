"""The ground floor, which every other room uses and which knows nothing of links.

Read `doors` first (the checks of public arguments), then `division`, `seeds` (independent random streams), the two optimisers `minimise`
(smooth) and `ascend` (concave, with kinks), and `threads`, `progress`, `reprs` and `extras`.
"""
