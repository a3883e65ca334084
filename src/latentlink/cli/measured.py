"""The figures of a measured link on the terminal: of its latent, its task and its power, in words and at 80 columns."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from latentlink.channels.channel import Channel
from latentlink.cli.console import print_table, warn
from latentlink.evaluation.figures import Evaluation
from latentlink.latents.look import look, pairing_fault
from latentlink.latents.pilots import Pilots
from latentlink.links.calibration import TOLERANCE
from latentlink.tasks.metrics import Accuracy, Rate

Rows = list[tuple[str, object]]
_Z = 1.96  # of a 95 % interval
_WORDS = {
    "accuracy": "accuracy",
    "agreement": "agreement with the head on y",
    "r2": "R² of the targets",
    "output_nmse": "NMSE of the head's outputs",
    "recall_at_1": "recall@1",
    "recall_at_10": "recall@10",
    "adjusted_rand": "adjusted Rand index of clusters",
    "mutual_information": "mutual information of clusters, normalised",
    "nmse": "NMSE",
    "cosine": "cosine similarity",
    "power": "power per use",
}
_LOOKED_AT = 10_000  # rows whose pairing is tested where a link fails
_FEW = 8  # outputs that are shown one by one


def list_figures(seen: Evaluation) -> Rows:
    """List the figures of the latent and of its task, averaged over channels, without the accuracy."""
    rows: Rows = [("NMSE", float(seen.nmse.mean())), ("cosine similarity", float(seen.cosine.mean()))]
    if seen.agreement is not None:
        rows.append(("agreement with the head on y", float(seen.agreement.mean())))
    if (task := seen.regression) is not None:
        if task.r2 is not None and task.mse is not None:
            each = task.r2.flatten(0, -2).mean(0) if task.r2.ndim > 1 else task.r2
            several = f" ({', '.join(f'{value:.4g}' for value in each.tolist())})" if 1 < len(each) <= _FEW else ""
            rows += [("R² of the targets", f"{float(each.mean()):.4g}{several}"), ("task MSE", float(task.mse.mean()))]
        rows.append(("NMSE of the head's outputs", float(task.output_nmse.mean())))
    if (found := seen.retrieval) is not None:
        for k, recall in ((1, found.recall_at_1), (10, found.recall_at_10)):
            rows.append((f"recall@{k} (a guess)", f"{float(recall.mean()):.4g} ({min(1.0, k / found.gallery):.2g} of {found.gallery})"))
    return rows


def name_figures(seen: Evaluation) -> dict[str, float]:
    """The figures of the latent and of its task in words, averaged over channels, as files store them."""
    return {_WORDS[name]: float(value.mean()) for name, value in seen.figures().items() if name in _WORDS}


def list_power(seen: Evaluation, radio: Channel) -> Rows:
    """List the measured power with its interval beside the budget, and the peak."""
    low, high = _power_interval(seen)
    return [
        ("measured power per use (budget)", f"{float(seen.power.mean()):.4f} ({float(radio.power.mean()):.4g})"),
        ("95 % interval of the power", f"{low:.4f}–{high:.4f}"),
        ("peak power of a message", float(seen.peak_power.max())),
    ]


def warn_of_power(seen: Evaluation, radio: Channel, remedy: str) -> None:
    """Warn where the link spends more than the budget by more than chance explains."""
    low, high = _power_interval(seen)
    budget = float(radio.power.mean())
    if low > budget * (1 + TOLERANCE):
        warn(
            f"the link spends {float(seen.power.mean()):.4g} of a budget of {budget:.4g} on these latents (95 % interval {low:.4g} to "
            f"{high:.4g}), so that it looks better than links within the budget: {remedy}"
        )


def warn_of_error(seen: Evaluation, test: Pilots | None = None) -> None:
    """Warn where the link is worse than sending nothing, with what is wrong with the pairing of the test latents, where they are given."""
    if float(seen.nmse.mean()) < 1:
        return
    fault = None if test is None else pairing_fault(look(test.x[:_LOOKED_AT], test.y[:_LOOKED_AT]))
    reason = fault or "are the rows of both ends paired, and are the link and its channel those of these encoders?"
    warn(f"on these latents the link is worse than one that sends nothing (NMSE {float(seen.nmse.mean()):.3g}, above 1): {reason}")


def _power_interval(seen: Evaluation) -> tuple[float, float]:
    """The 95 % interval of the power over messages, which all channels share."""
    mean, error = float(seen.power.mean()), float(seen.power_error.mean())
    return mean - _Z * error, mean + _Z * error


def print_accuracy(accuracy: Tensor, per_class: Mapping[int | str, Tensor], own: Accuracy) -> None:
    """Print the accuracy over all messages and for each class, averaged over channels, beside that of the receiver's own latents."""
    named = {_name(c): (per_class[c], rate) for c, rate in own.per_class.items()}
    rows: list[Sequence[str]] = []
    for name, (share, rate) in ({"all": (accuracy, own.overall)} | named).items():
        pooled = Rate.of_share(float(share.mean()), rate.count)
        rows.append([name, f"{pooled.value:.4f}", f"{pooled.low:.4f}–{pooled.high:.4f}", f"{rate.value:.4f}"])
    mean = sum(float(share.mean()) for share in per_class.values()) / len(per_class)
    rows.append(["mean per class", f"{mean:.4f}", "", f"{own.mean_per_class:.4f}"])
    print_table("accuracy", ("", "link", "95 % interval", "receiver's own latents"), rows)


def _name(label: int | str) -> str:
    return label if isinstance(label, str) else f"class {label}"
