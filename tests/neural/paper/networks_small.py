"""Small latents for networks to learn."""

import torch

import latentlink as ll


def pilots(n=400, d=7, m=5, seed=0):
    """Two linear views of one hidden cause."""
    generator = torch.Generator().manual_seed(seed)
    cause = torch.randn(n, 4, generator=generator)
    mix = torch.Generator().manual_seed(99)
    x = cause @ torch.randn(4, d, generator=mix) + 0.05 * torch.randn(n, d, generator=generator) + 3.0
    y = cause @ torch.randn(4, m, generator=mix) + 0.05 * torch.randn(n, m, generator=generator) - 2.0
    return ll.Pilots(x, y, (cause[:, 0] > 0).long())


def channel(n_rx=2, n_tx=2, uses=1, snr_db=20.0, batch=(), power=1.0, seed=1):
    h = ll.rayleigh(n_rx, n_tx, batch=(*batch, uses), generator=torch.Generator().manual_seed(seed))
    return ll.Channel.from_grid(h, snr_db, power)


def small(**changes):
    return ll.Neural(**{"hidden_tx": 12, "hidden_rx": 12, "epochs": 6, "batch_size": 64, "precision": "float32", **changes})


def by(rule):
    """The arguments of a design that leaves out weights by a rule, which is a threshold, a budget or None."""
    return {"budget": rule} if isinstance(rule, ll.budget.Weights | ll.budget.Flops) else {"pruning": rule}
