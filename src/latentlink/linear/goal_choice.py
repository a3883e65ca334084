"""The choice of a goal by cross-validation: a goal is a second-order approximation of the task, so it is tested on the task itself.

Each candidate, plain MSE always among them, is designed on a part of the pilots and evaluated by the task on the others, over Rayleigh
channels on a grid of (streams, SNR). The best candidate is taken at every grid point, MSE in a tie: on the held-out pilots the choice is
never worse than MSE.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from latentlink.channels.channel import Channel
from latentlink.channels.fading import rayleigh
from latentlink.evaluation.evaluate import evaluate
from latentlink.latents.moments import Moments
from latentlink.latents.pilots import Pilots
from latentlink.linear.design import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.modes import SemanticModes, semantic_modes
from latentlink.numerics.doors import AnyArray, integer, real
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.seeds import stream, stream_generator
from latentlink.numerics.validation import validate_call


@dataclass(frozen=True, eq=False, repr=False)
class GoalChoice(Summarised):
    """Modes for every candidate goal, and the best candidate at every number of streams and SNR.

    Attributes:
        modes: modes of each candidate by name, from all the pilots; "mse" is the first.
        streams: numbers of real streams per message (a,).
        snr_db: SNRs per transmit antenna in dB (b,), at E|h|² = 1.
        score: (a, b, candidates), held-out accuracy, or agreement with the head where no labels were given.
        best: (a, b), number of the candidate with the highest score.
    """

    modes: dict[str, SemanticModes]
    streams: tuple[int, ...]
    snr_db: tuple[float, ...]
    score: Float[Tensor, "a b c"]
    best: Int[Tensor, "a b"]

    def _facts(self) -> dict[str, str]:
        names = list(self.modes)
        return {
            "candidates": f"candidates {'/'.join(names)}",
            "streams": f"streams {'/'.join(map(str, self.streams))}",
            "SNR": f"SNR {'/'.join(f'{snr:g}' for snr in self.snr_db)} dB",
            "chosen": f"chosen {'/'.join(names[number] for number in self.best.unique().tolist())}",
        }

    def name_for(self, channel: Channel) -> str:
        """Name of the best candidate at the grid point nearest to the streams and the mean SNR, with E|h|², of a batch of channels."""
        row = min(range(len(self.streams)), key=lambda i: abs(math.log2(self.streams[i]) - math.log2(channel.real_symbols)))
        gain_db = 10 * channel.h.abs().square().mean((-3, -2, -1)).log10()
        snr_db = float((channel.snr_db + gain_db).mean().clamp(-1e3, 1e3).nan_to_num(-1e3))
        column = min(range(len(self.snr_db)), key=lambda j: abs(self.snr_db[j] - snr_db))
        return list(self.modes)[int(self.best[row, column])]

    def modes_for(self, channel: Channel) -> SemanticModes:
        """The modes to design with: one choice for a batch of channels, by its mean SNR."""
        return self.modes[self.name_for(channel)]


_MOST_POINTS = 1000  # of streams, and of SNRs


@validate_call
def choose_goal(
    x: AnyArray,
    y: AnyArray,
    head: nn.Module,
    *,
    labels: AnyArray | None = None,
    goals: Mapping[str, Goal] | None = None,
    streams: Sequence[int] = (2, 4, 8, 16, 32),
    snr_db: Sequence[float] = (0.0, 10.0, 20.0, 30.0),
    shrinkage: float | str = "auto",
    folds: int = 3,
    channels: int = 4,
    seed: int = 0,
) -> GoalChoice:
    """Evaluate candidate goals on held-out pilots and take the best for each number of streams and SNR.

    Args:
        x: semantic pilots (n, d) of the transmitter.
        y: the same pilots (n, m) at the receiver.
        head: the receiver's classifier.
        labels: classes (n,) of the pilots: the score is then accuracy, else agreement with head(y).
        goals: candidates by name beside "mse"; by default logits and Fisher at T = 1 and 3, each with a fidelity of 0.01.
        streams: even numbers of streams; s streams are tried on s/2 × s/2 antennas.
        snr_db: SNRs per transmit antenna in dB.
        shrinkage: shrinkage of `semantic_modes`.
        folds: number of parts of the pilots, each held out once.
        channels: number of Rayleigh channels for each number of streams and each fold.
        seed: seed of folds, channels and noise.

    Raises:
        ValueError: pilots or labels are malformed, streams are not even and positive, folds are not in 2…n, channels are below 1, or a goal
            is called "mse".

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> y = x[:, :6].tanh()
        >>> labels = (y[:, 0] > 0).long()
        >>> choice = ll.choose_goal(x, y, ll.fit_head(y, labels), labels=labels, streams=(2, 4), snr_db=(10.0,), folds=2, channels=1)
        >>> choice.score.shape, list(choice.modes)
        (torch.Size([2, 1, 4]), ['mse', 'logits', 'fisher', 'fisher-3'])
    """
    pilots = Pilots(x, y, labels)
    integer("folds", folds, 2, len(pilots))
    integer("channels", channels)
    for name, values in (("streams", streams), ("snr_db", snr_db)):
        integer(f"number of {name}", len(values), 1, _MOST_POINTS)
    streams = tuple(integer("streams", count) for count in streams)
    snr_db = tuple(real("snr_db", value) for value in snr_db)
    if not streams or not snr_db or any(s < 2 or s % 2 for s in streams):
        raise ValueError(f"streams must be even and positive, and snr_db must not be empty, got {tuple(streams)} and {tuple(snr_db)}")
    if goals is not None and "mse" in goals:
        raise ValueError("goals must not hold 'mse': plain MSE is always a candidate")
    parts = torch.randperm(len(pilots), generator=stream_generator(seed, "folds"), device="cpu").tensor_split(folds)
    moments = [Moments.from_pairs(pilots.x[rows], pilots.y[rows]) for rows in parts]
    scores = []
    for fold, rows in enumerate(parts):
        training = Moments.merged(moments[:fold] + moments[fold + 1 :])
        others = torch.cat(parts[:fold] + parts[fold + 1 :])
        radios = [_draw_channels(s, snr_db, channels, stream_generator(seed, "channels", fold, s)) for s in streams]
        trials = [
            _task_score(semantic_modes(training, goal, shrinkage), pilots[rows], head, radios, stream(seed, "noise", fold))
            for goal in _candidates(goals, head, pilots.y[others]).values()
        ]
        scores.append(torch.stack(trials, -1) * len(rows) / len(pilots))
    score = torch.stack(scores).sum(0)
    everything = Moments.merged(moments)
    modes = {name: semantic_modes(everything, goal, shrinkage) for name, goal in _candidates(goals, head, pilots.y).items()}
    return GoalChoice(modes, tuple(streams), tuple(snr_db), score, score.argmax(-1))


def _candidates(goals: Mapping[str, Goal] | None, head: nn.Module, y: Tensor) -> dict[str, Goal | None]:
    """MSE with the goals given, or with the default ones averaged over y."""
    if goals is not None:
        return {"mse": None, **goals}
    return {
        "mse": None,
        "logits": Goal.logits(head, y, fidelity=0.01),
        "fisher": Goal.fisher(head, y, fidelity=0.01),
        "fisher-3": Goal.fisher(head, y, temperature=3.0, fidelity=0.01),
    }


def _draw_channels(streams: int, snr_db: Sequence[float], count: int, generator: torch.Generator) -> Channel:
    """The same Rayleigh channels at every SNR: a batch (b, count)."""
    h = rayleigh(streams // 2, streams // 2, batch=(count,), generator=generator)
    return Channel.from_snr(h, torch.tensor(snr_db, dtype=torch.float64, device="cpu").unsqueeze(-1))


def _task_score(modes: SemanticModes, unseen: Pilots, head: nn.Module, radios: Sequence[Channel], seed: int) -> Float[Tensor, "a b"]:
    """Accuracy (agreement without labels) on unseen pilots for every number of streams and SNR; a seed fixes the noise."""
    rows = []
    for number, radio in enumerate(radios):
        channel = radio.to(unseen.x.device)
        link = ClosedForm().design(modes, channel).transceiver
        noise = stream_generator(seed, number, device=unseen.x.device)
        seen = evaluate(link, unseen.x, unseen.y, channel=channel, head=head, labels=unseen.labels, task="classification", generator=noise)
        understood = seen.agreement if seen.accuracy is None else seen.accuracy
        assert understood is not None
        rows.append(understood.mean(-1).cpu())
    return torch.stack(rows)
