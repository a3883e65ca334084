"""Many users: broadcast, several sensors, interference and fairness, each with one design call and a bound beside it.

Read `moments`, `modes` and `coordinates` (what devices want of each other), `links` (the channels between them), `problem` (the equations
of every user's error), `devices` and `solution` (each user's link as an ordinary one); `exact` (where the optimum is known), `descent` and
`polish`, and `design`, which every design is. Then the designs: `broadcast` with `equivalent`, `broadcast_bounds` and `starts`, its
baselines `linear_precoding`, `time_division`, `federated` and `reused`; `multiple_access`; for `pairs` on one band `game` with its
`answers`, `power_game`, `pricing` and `cooperative`; `fair` over any, and `shared_surface`, which serves all links of a network. Codecs
for users are `user_codecs`, by `user_metric`, `user_rounds` and `user_codec_link`, and `common_codec`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
