"""Draw who speaks to whom in the scenarios of docs/networks.md: `python docs/figures/networks.py` writes docs/figures/networks.svg.

Solid lines carry what a receiver wants, and dashed lines what disturbs it.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WANTED, DISTURBS = {"color": "#0072B2", "linewidth": 2}, {"color": "#D55E00", "linewidth": 1.5, "linestyle": "--"}
SCENARIOS = {
    "one latent or one message each\nBroadcast": ([(0, 1)], [(2, 2), (2, 1), (2, 0)], [(0, 0), (0, 1), (0, 2)], []),
    "several sensors, one receiver\nMultipleAccess": ([(0, 2), (0, 0)], [(2, 1)], [(0, 0), (1, 0)], []),
    "pairs on one band\nSemanticGame, Cooperative": ([(0, 2), (0, 0)], [(2, 2), (2, 0)], [(0, 0), (1, 1)], [(0, 1), (1, 0)]),
    "a primary user to spare\nClosedForm(leakage=…)": ([(0, 1)], [(2, 1.6), (2, 0.2)], [(0, 0)], [(0, 1)]),
    "a wall of elements\nSurfaceDesign": ([(0, 0.4)], [(1, 2), (2, 0.4)], [(0, 0), (0, 1)], []),
    "the worst user counts\nFair(by=…)": ([(0, 1)], [(0.8, 1.6), (1.4, 0.9), (2, 0.2)], [(0, 0), (0, 1), (0, 2)], []),
}


def draw(axes, name, senders, receivers, wanted, disturbing):
    for lines, style in ((wanted, WANTED), (disturbing, DISTURBS)):
        for a, b in lines:
            axes.plot(*zip(senders[a], receivers[b], strict=True), **style, zorder=1)
    if name.startswith("a wall"):
        axes.plot(*zip((1, 2), (2, 0.4), strict=True), **WANTED, zorder=1)
    axes.scatter(*zip(*senders, strict=True), s=260, marker="^", color="#0072B2", zorder=2)
    walls = name.startswith("a wall")
    axes.scatter(*zip(*receivers[walls:], strict=True), s=260, marker="o", color="#009E73", zorder=2)
    if walls:
        axes.scatter(*receivers[0], s=500, marker="s", color="#999999", zorder=2)
    axes.set(title=name, xlim=(-0.4, 2.4), ylim=(-0.5, 2.5))
    axes.title.set_fontsize(11)
    axes.axis("off")


def main() -> None:
    figure, panels = plt.subplots(2, 3, figsize=(9, 5.6), layout="constrained")
    for panel, (name, parts) in zip(panels.flat, SCENARIOS.items(), strict=True):
        draw(panel, name, *parts)
    figure.legend(
        handles=[
            plt.Line2D([], [], marker="^", linestyle="", markersize=12, color="#0072B2", label="transmitter"),
            plt.Line2D([], [], marker="o", linestyle="", markersize=12, color="#009E73", label="receiver"),
            plt.Line2D([], [], **WANTED, label="wanted"),
            plt.Line2D([], [], **DISTURBS, label="interference"),
        ],
        loc="outside lower center",
        ncols=4,
    )
    plt.rcParams.update({"svg.hashsalt": "latentlink", "svg.fonttype": "none"})
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
