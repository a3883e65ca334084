"""
Can a receiver notice that the scene has moved?
===============================================

A link is designed on pilots, and then the scene at the transmitter changes: here its latents become noisy, as behind a dirty lens. The
receiver has neither labels nor pairs that would tell it. But its decisions become less sure, and a cumulative sum of their entropy tells
that within some dozens of messages, with as few false alarms as it was asked for.
"""

# %%
# A link, and messages while all is well
# --------------------------------------
# The link is designed on half of the pilots. A watch is calibrated on messages that no design has seen, those of the other half, as they
# arrive over the channel: decisions on the design's own pilots are too sure.

import matplotlib.pyplot as plt
import torch

import latentlink as ll

pair = ll.data.device_pair("digits")
order = torch.randperm(len(pair.pilots.x), generator=torch.Generator().manual_seed(0))
seen, unseen = pair.pilots[order[:600]], pair.pilots[order[600:]]
head = ll.fit_head(seen.y, seen.labels)
goal = ll.Goal.fisher(head, seen.y, temperature=3.0, fidelity=0.01)
modes = ll.semantic_modes(ll.Moments.from_pairs(seen.x, seen.y), goal)
channel = ll.Channel.from_snr(ll.rayleigh(4, 4, generator=0), snr_db=15.0)
link = ll.ClosedForm().design(modes, channel).transceiver


def stream(x: torch.Tensor, count: int, noise: float, seed: int) -> torch.Tensor:
    """Decoded latents of randomly drawn observations, whose latents at the transmitter have noise of this share of their deviation."""
    generator = torch.Generator().manual_seed(seed)
    drawn = x[torch.randint(len(x), (count,), generator=generator)]
    dirty = drawn + noise * x.std(0) * torch.randn(drawn.shape, generator=generator, dtype=drawn.dtype)
    return ll.transmit(link, dirty, channel, generator=seed)


watch = ll.living.Watch.calibrated(head, stream(unseen.x, 4000, 0.0, 1), false_alarms=1 / 2500)
print(watch)

# %%
# The lens becomes dirty after 500 messages
# -----------------------------------------
# The test images are watched, in streams of a thousand messages. ``statistics`` is the cumulative sum after each message, and the watch
# after ``update`` says which one raised the alarm, and with which the sum began to rise, the likeliest beginning of the change.

traces = {}
for noise in (0.0, 0.6, 0.9, 1.5):
    arrived = torch.cat([stream(pair.test.x, 500, 0.0, 2), stream(pair.test.x, 500, noise, 3)])
    after = watch.update(arrived)
    traces[noise] = watch.statistics(arrived), after
    told = f"alarm at message {after.alarmed_at}, rising since {after.rising_since}" if after.alarm else "quiet"
    print(f"noise {noise:g}: {told}")

# %%
# The statistic
# -------------
# While all is well the sum falls back to zero again and again, and after a change it rises until the alarm (triangles). The strongest noise
# is told *later* than the others: it makes received latents so large that decisions on them are nearly as sure as before, although they are
# wrong. What no watch of this kind can see is a change that leaves decisions as sure as they were, such as two classes that change places:
# ``ll.living.AgreementTest`` asks for a few decisions on scenes that both ends see.

plt.rcParams.update({"axes.grid": True, "grid.alpha": 0.3})
figure, axes = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
colours = ("0.55", "#56b4e9", "#0072b2", "#d55e00")
for (noise, (statistic, after)), colour in zip(traces.items(), colours, strict=True):
    numbers = range(1, len(statistic) + 1)
    axes.semilogy(
        numbers, statistic.clamp(min=0.3), color=colour, linewidth=1.2, label=f"noise of {noise:g} deviations" if noise else "no change"
    )
    if after.alarm:
        axes.plot(after.alarmed_at, statistic[after.alarmed_at - 1], "v", color=colour, markersize=9, markeredgecolor="black")
axes.axhline(watch.threshold, color="black", linestyle="--", label="threshold: a false alarm in 2,500 messages")
axes.axvline(500.5, color="black", linewidth=0.8, linestyle=":")
axes.set(xlabel="message; the lens becomes dirty after 500", ylabel="cumulative sum of the entropy (deviations)", ylim=(0.3, 300))
axes.legend(loc="upper left")
plt.show()
