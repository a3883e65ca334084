"""A user's script, as mypy --strict sees it: every namespace, and attributes that an editor completes. It is checked, never run."""

import torch

import latentlink as ll

x: torch.Tensor = ll.read_latents("tx.npy")
y: torch.Tensor = ll.read_latents("rx.npy")
labels: torch.Tensor = ll.data.read_labels("labels.npy")

moments = ll.Moments.from_pairs(x, y)
head: ll.SoftmaxHead = ll.fit_head(y, labels)
goal: ll.Goal = ll.Goal.fisher(head, y, temperature=3.0, fidelity=0.01)
modes: ll.SemanticModes = ll.semantic_modes(moments, goal)
channel: ll.Channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(100,)), snr_db=20.0)

solution: ll.Solution = ll.ClosedForm(power=ll.power.Mean(), csi=ll.csi.Perfect()).design(modes, channel)
transceiver: ll.Transceiver = solution.transceiver
symbols: torch.Tensor = transceiver.encode(x)
y_hat: torch.Tensor = ll.transmit(transceiver, x, channel)
share: float = ll.metrics.accuracy(head, y_hat, labels).overall.value

bits: torch.Tensor = ll.bounds.capacity(channel)
grids: torch.Tensor = ll.tr38901.generate("CDL-C", n_rx=2, n_tx=2, batch=10, elements=ll.channels.ResourceElements.over_frequency(12, 12))
panel: ll.tr38901.Panel = ll.tr38901.Panel()
baseline: ll.Solution = ll.baselines.EigenK().design(moments, channel)
competitor = ll.digital.Digital()
digital: ll.Solution = competitor.design(competitor.code(modes, ll.Pilots(x, y, labels)), channel)
limit: ll.budget.Flops = ll.budget.Flops(600_000)
rows = ll.studies.run("study.yaml")


def compress(values: torch.Tensor) -> torch.Tensor:
    """A layer in a user's own encoder."""
    layer: torch.nn.Module = ll.nn.Precoder(transceiver)
    sent: torch.Tensor = layer(values)
    return sent
