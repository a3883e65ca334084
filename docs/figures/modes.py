"""Draw what a semantic mode is, on scikit-learn's digits: `python docs/figures/modes.py` writes docs/figures/modes.png.

Left and middle: what each of the two strongest modes reads from x at the transmitter against what it stands for in y at the receiver,
for images that no device has seen. Right: how much of the receiver's latent the first k modes explain.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

import latentlink as ll

FOLDER = Path(__file__).parent


def coordinates(pair, modes):
    """What the modes read from unseen latents x, and the same directions of y, both in units of their deviation."""
    x, y = pair.test.x.double(), pair.test.y.double()
    read = (x - modes.mean_x) @ modes.analysis.T
    directions = torch.linalg.pinv(modes.synthesis)
    there = (y - modes.mean_y) @ directions.T
    return read / read.std(0), there / there.std(0)


def explained(pair, modes):
    """The share of the variance of y that the first k modes predict, for each k: from the pilots, and on unseen images."""
    x, y = pair.test.x.double() - modes.mean_x, pair.test.y.double() - modes.mean_y
    expected = modes.strength.square().cumsum(0) / modes.variance
    read = x @ modes.analysis.T
    errors = [(y - read[:, :k] @ modes.synthesis[:, :k].T).square().sum() for k in range(1, len(modes.strength) + 1)]
    return expected, 1 - torch.stack(errors) / y.square().sum()


def draw(path):
    pair = ll.data.device_pair("digits")
    modes = ll.semantic_modes(ll.Moments.from_pairs(pair.pilots.x, pair.pilots.y))
    read, there = coordinates(pair, modes)
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
    for number, axis in enumerate(axes[:2]):
        points = axis.scatter(read[:, number], there[:, number], c=pair.test.labels, cmap="tab10", s=9, alpha=0.8)
        axis.set(title=f"mode {number + 1}", xlabel="coordinate along its direction in x", ylabel="coordinate along its direction in y")
    figure.colorbar(points, ax=axes[1], ticks=range(10), label="digit")
    expected, measured = explained(pair, modes)
    axes[2].plot(range(1, len(expected) + 1), expected, color="#1f5fbf", label="expected from the pilots")
    axes[2].plot(range(1, len(measured) + 1), measured, color="#b4551d", linestyle="--", label="measured on unseen images")
    axes[2].legend(loc="lower right", fontsize="small")
    axes[2].set(title="what the modes explain", xlabel="number of modes, strongest first", ylabel="share of the variance of y")
    axes[2].set(xlim=(0, 40), ylim=(0, 1))
    axes[2].grid(alpha=0.3)
    figure.savefig(path, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "modes.png")
