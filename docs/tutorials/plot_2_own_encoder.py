"""
Your own encoder and head in PyTorch
====================================

Latents come from encoders, and encoders can be trained. ``ll.nn`` turns a designed link into PyTorch modules, so that a loss at the
receiver is backpropagated through its head, the decoder, the channel and the precoder into the encoder at the transmitter. This tutorial
trains two devices apart, connects them by an exact linear link, and then fine-tunes the transmitter's encoder through that link.
It takes about ten minutes to read.
"""

# %%
# Two devices, trained apart
# --------------------------
# Each device has an encoder and a head of its own, and each learns to classify its own half of the training images. They share neither
# weights nor images, so their latent spaces have nothing in common but what the images bring along.

import matplotlib.pyplot as plt
import torch
from torch import nn

import latentlink as ll

torch.manual_seed(0)


def load(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Load images (n, 64) in the range from 0 to 1, and their classes."""
    digits = ll.data.digits(split)
    return digits.images.flatten(1).float() / 255, digits.labels


images, labels = load("train")
test_images, test_labels = load("test")


def train(module: nn.Module, pictures: torch.Tensor, classes: torch.Tensor, *, epochs: int, rate: float) -> list[float]:
    """Minimise the cross-entropy of a module's logits by Adam, and return the loss of each epoch."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=rate)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(pictures)).split(100):
            logits = module(pictures[rows])
            wanted = classes[rows].expand(logits.shape[:-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, -2), wanted.flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows) / len(pictures)
        losses.append(total)
    return losses


encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 48))
receiver = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32))
head = nn.Sequential(nn.ReLU(), nn.Linear(32, 10))
train(nn.Sequential(encoder, nn.ReLU(), nn.Linear(48, 10)), images[::2], labels[::2], epochs=40, rate=3e-3)
train(nn.Sequential(receiver, head), images[1::2], labels[1::2], epochs=40, rate=3e-3)
for module in (receiver, head):
    module.requires_grad_(False)

# %%
# The exact link between them
# ---------------------------
# All training images serve as pilots. The head is any torch module: ``Goal.fisher`` needs only its gradients. The link is designed for 16
# channels of 2×2 antennas and one channel use. ``PerMessage`` scales every message to the power budget. This matters for what follows,
# because a trained encoder could otherwise leave the moments that the power was computed from.

with torch.no_grad():
    x, y = encoder(images), receiver(images)
goal = ll.Goal.fisher(head, y, temperature=3.0, fidelity=0.01)
modes = ll.semantic_modes(ll.Moments.from_pairs(x, y), goal)
design = ll.ClosedForm(power=ll.power.PerMessage(x=x, y=y))
training_channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(16,), generator=0), snr_db=10.0)
link = design.design(modes, training_channel).transceiver.to(torch.float32)
print(link)

# %%
# The link as modules
# -------------------
# ``Precoder`` and ``Decoder`` hold the link, and ``ChannelLayer`` draws fresh noise in every call. Latents (n, d) become symbols
# (channels, n, uses, antennas) and, at the receiver, latents (channels, n, m): one copy of each message for each of the 16 channels.

through_link = nn.Sequential(ll.nn.Precoder(link), ll.nn.ChannelLayer(training_channel, seed=0), ll.nn.Decoder(link))
print("latents", tuple(x[:5].shape), "→ symbols", tuple(through_link[0](x[:5]).shape), "→ latents", tuple(through_link(x[:5]).shape))

# %%
# Gradients reach the encoder
# ---------------------------
# The chain from the image to the receiver's logits is one module, and the only part of it with trainable parameters is the encoder.

chain = nn.Sequential(encoder, through_link, head)
chain(images[:10]).sum().backward()
print("gradient at the first layer of the encoder:", f"{encoder[0].weight.grad.norm():.2f}")

# %%
# Fine-tuning through the channel
# -------------------------------
# Before and after, the link is judged on 200 other channels and on the test images. The precoder and the decoder for these channels are
# designed from the modes of the pilots, which stay as they were agreed: only the encoder changes.

test_channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(200,), generator=1), snr_db=10.0)
test_link = design.design(modes, test_channel).transceiver.to(torch.float32)


def judge() -> torch.Tensor:
    """Measure the accuracy over each of the test channels."""
    with torch.no_grad():
        test_x, test_y = encoder(test_images), receiver(test_images)
    seen = ll.evaluate(test_link, test_x, test_y, channel=test_channel, head=head, labels=test_labels, generator=0)
    print(
        f"accuracy {seen.accuracy.mean():.3f}, mean power {seen.power.mean():.2f}, highest power of a message {seen.peak_power.max():.2f}"
    )
    return seen.accuracy


before = judge()
losses = train(chain, images, labels, epochs=25, rate=1e-3)
after = judge()
with torch.no_grad():
    own = (head(receiver(test_images)).argmax(-1) == test_labels).double().mean().item()
print(f"cross-entropy from {losses[0]:.2f} to {losses[-1]:.2f}; accuracy on the receiver's own latents {own:.3f}")

# %%
# What was gained
# ---------------
# The figure shows the distribution of the accuracy over the 200 test channels. Fine-tuning gains about ten percentage points in the mean,
# on channels that were not part of the training, and nothing was retrained at the receiver. The encoder has learnt to put what tells the
# classes apart into the few modes that a 2×2 channel carries in one use.

plt.rcParams.update({"font.size": 12, "axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
share = (torch.arange(200) + 1) / 200
axes.step(before.sort().values, share, where="post", color="#D55E00", linestyle="--", linewidth=2, label="encoder as trained alone")
axes.step(after.sort().values, share, where="post", color="#0072B2", linewidth=2, label="fine-tuned through the link")
axes.axvline(own, color="0.4", linestyle=":", label="receiver's own latents")
axes.set(xlabel="accuracy on a channel", ylabel="share of channels with at most this", xlim=(0.45, 1), ylim=(0, 1))
axes.legend(fontsize=11, loc="upper left")
plt.show()

# %%
# Where to go on
# --------------
# ``Precoder(link, trainable=True)`` makes the matrices of the link parameters as well. To train a pair of networks for every channel at
# once, use ``ll.CodecTraining``, which starts from the exact linear design.
