"""Findings in words, from the rows alone: which methods win, which tie, by how much, how far the limits are, and which stand still.

Methods are compared under one condition by paired differences (`paired`, `evaluation.best`): in the mean over the points that an axis
sweeps, and at each point. With a single seed and channel there is no interval, and no method is said to win. A method that was not measured
at all points, or with all seeds, takes no part in the comparison over the sweep, and is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import polars as pl

from latentlink.evaluation.best import Behind, Ranking
from latentlink.latents.dependence import LEAST_EVIDENCE
from latentlink.numerics.reprs import counted
from latentlink.report.arrange import Arranged
from latentlink.report.columns import Condition, describe_condition
from latentlink.report.curves import REFERENCES, average_levels
from latentlink.report.paired import Paired, pair
from latentlink.report.tables import MEASURES

_TASKS = (
    "accuracy",
    "r2",
    "recall_at_1",
    "adjusted_rand",
)  # figures of the receiver's task, of which the first that was measured compares methods
_LIMITS = {"nmse": (("opta_db", "Gaussian OPTA"), ("exact_db", "the exact optimum"))}
_STILL, _MOVING = 0.01, 0.05  # range over the points of a method that stands still, and of the best one beside it
_ALIKE = 0.05  # end of the interval around zero up to which methods are said to tie
_LEVEL = "alone"  # a method that shares nothing: a level for those that do, which does not compete with them
_SHOWN = 4  # methods that a sentence names


@dataclass(frozen=True)
class Finding:
    """What was found under one condition.

    Attributes:
        title: the condition in words, "" where there is only one.
        sentences: in order of importance.
    """

    title: str
    sentences: tuple[str, ...]


def find_all(table: Arranged) -> list[Finding]:
    """Find, under each condition, which methods win and tie by the task and by NMSE, the distance to limits, and what stands still."""
    contending = pl.col("parameters").str.json_path_match("$.name").fill_null("") != _LEVEL
    table = replace(table, links=table.links.filter(contending))
    found = [Finding(describe_condition(condition), tuple(_find(table, condition))) for condition in table.conditions]
    return [finding for finding in (Finding("", tuple(_word_unpaired(table))), *found) if finding.sentences]


def _word_unpaired(table: Arranged) -> list[str]:
    """Say where designs fit chance, since x and y of the pilots depend on each other no more than permuted rows do."""
    chance = table.links["dependence"] < LEAST_EVIDENCE  # null where it is not known
    unpaired = chance.sum()
    if not unpaired:
        return []
    if unpaired == len(chance):
        where, follows = "all rows", "what follows says nothing of paired latents"
    else:
        seeds = table.links.filter(chance.fill_null(False))["seed"].unique().sort().to_list()
        where = f"{unpaired} of {len(chance)} rows ({'seed' if len(seeds) == 1 else 'seeds'} {_list([f'{seed:g}' for seed in seeds])})"
        follows = "they spoil the means that follow"
    return [
        f"In {where} the pilots' x and y depend on each other no more than permuted rows do, so that designs fit chance, and {follows}: "
        "was one end shuffled, shifted or sorted?"
    ]


def write_markdown(table: Arranged) -> str:
    """Write all findings as a section in Markdown; empty where there are none."""
    lines: list[str] = []
    for finding in find_all(table):
        lines += [f"**{finding.title[0].upper()}{finding.title[1:]}**\n"] if finding.title else []
        lines += [*(f"- {sentence}" for sentence in finding.sentences), ""]
    return "\n".join(["## Findings\n", *lines, describe_intervals(table), ""]) if lines else ""


def describe_intervals(table: Arranged) -> str:
    """Say what the brackets of the findings are, and how it is allowed for that several methods are compared."""
    seeds, channels = (table.links[name].drop_nulls().n_unique() for name in ("seed", "channel"))
    if seeds < 2 and channels < 2:
        return "One seed and one channel: there is no interval, so that no method is said to win or to tie."
    over = counted(seeds, "seed") if seeds > 1 else f"the {channels} channels of one seed, which say nothing of other pilots"
    few = "; of two seeds they are wide, and few methods win" if seeds == 2 else ""
    return (
        f"Brackets are intervals of the paired difference to the best over {over}, for these test messages (Student's t){few}. They hold "
        "with 95 % for all methods together (multiple comparisons with the best, by Bonferroni), for each mean or point on its own. A "
        "method wins where no bracket holds zero. One ties with it where its bracket holds zero and nothing beyond "
        f"±{_ALIKE:g}; where it holds zero and more, the data do not tell the two apart."
    )


def _find(table: Arranged, condition: Condition) -> list[str]:
    sentences: list[str] = []
    task = next((name for name in _TASKS if table.links[name].is_not_null().any()), _TASKS[0])
    for value in (task, "nmse"):
        measured = pair(table, condition, value)
        if measured is None:
            continue
        overall = measured.rank(measured.places)
        if overall is not None:
            sentences += [_word_ranking(overall, measured)]
            sentences += _word_ceiling(condition, measured, overall.best) + _word_limits(measured, overall.best)
        sentences += _word_points(measured) + _word_decisions(measured) + _word_floor(measured) if value == task else []
        sentences += _word_still(measured) if value == "accuracy" else _word_worthless(measured)
        sentences += _word_incomplete(measured, overall) if value == task else []
    return sentences


def _word_ranking(found: Ranking, measured: Paired) -> str:
    """Say which method has the best mean, whether it wins, which ones tie with it, and which the data do not tell apart from it."""
    extreme, side = ("highest", "below") if measured.largest else ("lowest", "above")
    short = MEASURES[measured.value].short
    best = f"{_quote(found.best)} has the {extreme} {short}, {found.means[found.best]:.3f}{_span(measured)}"
    if not found.behind:
        return f"{best}; no other method was measured at all of these points."

    def listed(those: list[str]) -> str:
        shown = [f"{_quote(name)} ({_bracket(found.behind[name])} {side})" for name in those[:_SHOWN]]
        return _list([*shown, counted(len(those) - _SHOWN, "other")] if len(those) > _SHOWN else shown)

    if all(behind.low is None for behind in found.behind.values()):
        return f"{best}; the next is {listed([*found.behind][:1])}."
    worse = [name for name, behind in found.behind.items() if not behind.ties]
    tied = [name for name in found.tied[1:] if (found.behind[name].high or 0.0) <= _ALIKE and (found.behind[name].low or 0.0) >= -_ALIKE]
    uncertain = [name for name in found.tied[1:] if name not in tied]
    if not tied and not uncertain:
        return f"{best}, and wins; the next is {listed(worse[:1])}."
    sentences = [f"{best}."]
    sentences += [f"{listed(tied)} {'ties' if len(tied) == 1 else 'tie'} with it."] if tied else []
    sentences += [f"The data do not tell it apart from {listed(uncertain)}."] if uncertain else []
    sentences += [f"The nearest of those that are worse is {listed(worse[:1])}."] if worse else []
    return " ".join(sentences)


def _word_points(measured: Paired) -> list[str]:
    """Say which methods win at the single points, and where none does."""
    if len(measured.places) < 2 or len(measured.units) < 2:
        return []
    winners: dict[str, list[str]] = {}
    for place in measured.places:
        found = measured.rank([place])
        if found is not None and found.behind:
            winners.setdefault(found.best if len(found.tied) == 1 else "", []).append(measured.describe(place))
    short = MEASURES[measured.value].short
    if not any(winners):
        return [f"At no single point does one method win by {short}."] if winners else []
    words = [f"{_quote(name)} wins at {_list(places)}" for name, places in winners.items() if name]
    words += [f"none wins at {_list(winners[''])}"] if "" in winners else []
    return [f"By {short} at single points, {'; '.join(words)}."]


def _word_decisions(measured: Paired) -> list[str]:
    """Say of each method that sends the transmitter's decision where the best of those that send more beats it, and where none does."""
    deciding = set(measured.links.filter(pl.col("family") == "decision")["name"])
    return [_word_decision(name, deciding, measured) for name in measured.at if name in deciding] if deciding < set(measured.at) else []


def _word_decision(decision: str, deciding: set[str], measured: Paired) -> str:
    won: dict[bool, list[str]] = {False: [], True: []}
    for place in measured.places:
        found = measured.rank([place])
        rival = next((name for name in found.means if name not in deciding), None) if found is not None else None
        if found is None or rival is None or decision not in found.means:
            continue
        between = replace(measured, at={name: measured.at[name] for name in (decision, rival)}).rank([place])
        where = f"at {measured.describe(place)} " if len(measured.places) > 1 else ""
        beats = between is not None and between.best == rival and not between.behind[decision].ties
        won[beats].append(f"{where}({found.means[rival]:.3f} by {_quote(rival)} against {found.means[decision]:.3f})")
    words = [f"is beaten by no method that sends more {_list(won[False])}"] if won[False] else []
    words += [f"is beaten {_list(won[True])}"] if won[True] else []
    return f"{_quote(decision)}, which sends the transmitter's decision alone, {', and '.join(words)}." if words else ""


def _word_limits(measured: Paired, best: str) -> list[str]:
    """Say how far the best method is from the limits of the error."""
    mine = measured.links.filter(measured.links["name"] == best)
    distances = [(mine[column].mean(), limit) for column, limit in _LIMITS.get(measured.value, ())]
    words = [
        f"{abs(distance):.1f} dB {'above' if distance >= 0 else 'below'} {limit}"
        for distance, limit in distances
        if isinstance(distance, float)
    ]
    return [f"The error of {_quote(best)} is {_list(words)} in the mean."] if words else []


def _word_ceiling(condition: Condition, measured: Paired, best: str) -> list[str]:
    """Say how near the best method comes to the receiver's own latents."""
    if measured.value != "accuracy":
        return []
    levels = {level.label: level.level for level in average_levels(measured.table, measured.value) if level.condition == condition}
    ceiling = levels.get(REFERENCES[0])
    place, top = max(measured.list_means(best), key=lambda pair: pair[1])
    where = f" at {measured.describe(place)}" if len(measured.places) > 1 else ""
    return [] if ceiling is None else [f"{_quote(best)} reaches {top:.3f}{where}; the receiver's own latents give {ceiling:.3f}."]


def _word_floor(measured: Paired) -> list[str]:
    """Name the points at which the error of the channel estimates, of power 1 in all, disturbs more than the noise does."""
    floored = []
    for place in measured.places:
        here = [pl.col(name).eq_missing(pl.lit(value)) for name, value in zip(measured.table.points, place, strict=False)]
        ratio: Any = (
            measured.links.filter(pl.lit(True), *here).select(pl.col("error_variance") / pl.col("noise_variance")).to_series().mean()
        )
        if ratio is not None and ratio > 1:
            floored.append(measured.describe(place))
    where = f"At {_list(floored)} the" if floored and len(measured.places) > 1 else "The"
    return [f"{where} error of the channel estimates exceeds the noise, so that a higher SNR alone changes little."] if floored else []


def _word_still(measured: Paired) -> list[str]:
    """Name the methods whose accuracy is the same everywhere while that of others is not, and those that do not beat a constant guess."""
    means = {name: [mean for _, mean in measured.list_means(name)] for name in measured.at}
    ranges = {name: max(values) - min(values) for name, values in means.items()}
    moving = max(ranges.values()) >= _MOVING
    guess: Any = measured.links["largest_class"].mean()
    sentences = []
    for name, values in means.items():
        constant = moving and ranges[name] <= _STILL and len(values) == len(measured.places)
        as_guess = guess is not None and max(values) <= guess + _STILL
        if constant and as_guess:
            sentences.append(f"{_quote(name)} is at {fmean(values):.3f} everywhere, about the share of the largest class ({guess:.3f}).")
        elif constant:
            sentences.append(f"{_quote(name)} is at {fmean(values):.3f} everywhere: the axis does not change it.")
        elif as_guess:
            sentences.append(f"{_quote(name)} is nowhere better than guessing the largest class ({guess:.3f}).")
    return sentences


def _word_worthless(measured: Paired) -> list[str]:
    """Name the methods whose error is nowhere below that of the mean of the latents."""
    names = [name for name in measured.at if min(mean for _, mean in measured.list_means(name)) >= 1]
    shown = [*map(_quote, names[:_SHOWN]), *([counted(len(names) - _SHOWN, "other")] if len(names) > _SHOWN else [])]
    return [f"The error of {_list(shown)} is nowhere below that of sending nothing (NMSE 1)."] if names else []


def _word_incomplete(measured: Paired, overall: Ranking | None) -> list[str]:
    """Name the methods that take no part in the comparison."""
    names = measured.list_incomplete()
    if not names:
        return []
    where = "compared only point by point" if len(measured.places) > 1 and overall is not None else "not compared"
    were = "was" if len(names) == 1 else "were"
    return [f"{_list([*map(_quote, names)])} {were} not measured at all points with all seeds, and so {where}."]


def _span(measured: Paired) -> str:
    if len(measured.places) < 2:
        return ""
    return f" in the mean from {measured.describe(measured.places[0])} to {measured.describe(measured.places[-1])}"


def _bracket(behind: Behind) -> str:
    if behind.low is None or behind.high is None:
        return f"{behind.difference:.3f}"
    return f"{behind.difference:.3f} [{behind.low:.3f}, {behind.high:.3f}]".replace("-", "−")


def _quote(name: str) -> str:
    return f"“{name}”"


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
