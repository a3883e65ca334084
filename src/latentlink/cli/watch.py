"""`latentlink watch`: an alarm from received latents alone, over a file, standard input, or a file that grows."""

import time as clock
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import torch
from cyclopts import Parameter
from torch import Tensor

from latentlink.cli.console import facts, out, told_warnings, wrote
from latentlink.cli.options import USUAL_READING, Number, ReadingOptions
from latentlink.cli.results import is_result_file
from latentlink.cli.watched import Request, Session, begin, messages_of
from latentlink.data.readers.following import STDIN, name_of
from latentlink.living.watch import Watch
from latentlink.numerics.doors import real
from latentlink.numerics.extras import import_extra
from latentlink.report.figures import draw_tall
from latentlink.report.watching import Alarm, Trace, check_figure, plot_watch
from latentlink.storage.atomic import check_writable
from latentlink_runtime.serve.keeping import COLUMNS as FRAME_LOG

ALARMED = 3  # exit status; 1 is an error, and 2 wrong usage
_SAVED_EVERY_S = 30.0
_DRAWN = 200  # alarms that the figure marks


def watch(
    messages: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    head: Path | None = None,
    logits: bool = False,
    calibrate: str | None = None,
    false_alarms: Number | None = None,
    shift: Number | None = None,
    follow: bool = False,
    state: Path | None = None,
    restart: bool = False,
    time: str | None = None,
    plot: Path | None = None,
    reading: ReadingOptions = USUAL_READING,
) -> int:
    """Watch decoded latents, and raise an alarm when the receiver's decisions on them become less sure than they were.

    Neither pairs nor labels are needed. The exit status is 0 where all was quiet and 3 where there was an alarm; 1 and 2 are errors. Each
    alarm is a line that tells the number of its message, counted from the first that was watched, and the message with which it began.

    Example: `latentlink watch decoded.npy --head link/head.safetensors --calibrate clean.npy --plot watch.png`

    Example: `latentlink radio rx … --head head.safetensors --stream - | latentlink watch - --logits --calibrate clean-logits.npy`

    Parameters
    ----------
    messages
        Decoded latents in the order of their arrival, (n, m): a file, a pattern or a folder as for `latentlink fit`, or - for standard
        input: lines of numbers, or .npy arrays one after the other.
    head
        The receiver's saved classifier.
    logits
        Messages are outputs of the head already.
    calibrate
        Messages of the same kind that arrived while all was well, consecutive ones; the more, the better the rate of false alarms is known.
    false_alarms
        Mean number of messages between two false alarms, from 10 to 100000; 2500 if not given.
    shift
        Shift of the mean entropy, in deviations, that is to be found soonest; 0.5 if not given.
    follow
        Wait for more at the end of a file of lines or arrays, until the first alarm.
    state
        A .safetensors file that the watch goes on from where it is there, and is saved to; of a file that has grown only what is new is
        watched.
    restart
        Begin anew after an alarm, also after one that --state tells of, as though it had been mended.
    time
        Column of lines that says when a message came; without it alarms tell the time of the clock where messages are watched as they come.
    plot
        Figure of the statistic, the threshold, the alarms and the entropy: a .png, .pdf or .svg file.
    """
    _check_early(messages, state, plot)
    rare = None if false_alarms is None else real("--false-alarms", false_alarms, least=10.0, most=1e5)
    request = Request(head, logits, calibrate, rare, None if shift is None else real("--shift", shift, above=0.0, most=100.0))
    with told_warnings():
        session = begin(request, state, reading)
    session.watch = _anew(session.watch) if restart and session.watch.alarm else session.watch
    facts("watch", _facts(session.watch).items())
    run = _Run(session, restart, name_of(messages), follow or messages == STDIN, Trace(session.watch.count + 1))
    before, saved = session.watch.count, clock.monotonic()
    try:
        for latents, times in session.unread(messages, messages_of(messages, reading, time, follow)):
            run.see(torch.from_numpy(latents), times)
            if follow and session.watch.alarm:
                break
            if state is not None and clock.monotonic() - saved > _SAVED_EVERY_S:
                session.save(state)
                saved = clock.monotonic()
    except KeyboardInterrupt:
        run.write(state, plot)
        raise
    run.write(state, plot)
    run.close(session.watch.count - before)
    return ALARMED if run.raised or session.watch.alarm else 0


@dataclass
class _Run:
    """One run of the command: what it has seen, and the alarms that it told.

    Attributes:
        session: whose watch follows the messages.
        restart: whether to begin anew after an alarm.
        source: its name.
        live: whether messages are watched as they come.
        trace: for the figure.
        alarms: that the figure marks.
        raised: number of alarms.
    """

    session: Session
    restart: bool
    source: str
    live: bool
    trace: Trace
    alarms: list[Alarm] = field(default_factory=list)
    raised: int = 0

    def see(self, latents: Tensor, times: Sequence[str] | None) -> None:
        """Watch messages, and tell of alarms."""
        for before, part, after in _to_alarms(self.session.watch, latents, self.restart):
            statistics = before.statistics(part)
            self.trace.add(statistics.numpy(), before.standardised(part).numpy())
            self.session.watch = after
            if after.alarmed_at is not None and not before.alarm:
                place = after.alarmed_at - before.count - 1
                alarm = Alarm(after.alarmed_at, after.rising_since, float(statistics[place]))
                self._tell(alarm, None if times is None else times[place])
            times = None if times is None else times[len(part) :]

    def write(self, state: Path | None, plot: Path | None) -> None:
        """Save the watch, and draw what it saw."""
        if state is not None:
            self.session.save(state)
            wrote(state)
        if plot is not None and self.trace.count:
            draw_tall(plot_watch(self.trace, self.session.watch, self.alarms), plot, self.source)
            wrote(plot)

    def close(self, watched: int) -> None:
        """Tell how it stands at the end."""
        now = self.session.watch
        stands = f"the alarm at message {now.alarmed_at} stands until --restart" if now.alarm else "quiet again" if self.raised else "quiet"
        new = f"{watched:,} messages watched" if watched else f"no new messages in {self.source}"
        numbers = f"{new}, {now.count:,} in all, statistic {now.statistic:.3g} of {now.threshold:.3g}"
        out.print(f"{stands}: {numbers}", highlight=False, markup=False, soft_wrap=True)

    def _tell(self, alarm: Alarm, told: str | None) -> None:
        when = told or (datetime.now().astimezone().isoformat(" ", "seconds") if self.live else "")
        self.raised += 1
        self.alarms = [*self.alarms, alarm][-_DRAWN:]
        out.print(
            f"alarm at message {alarm.at}{f' ({when})' if when else ''}: decisions have been less sure since message {alarm.since}; "
            f"the statistic is {alarm.statistic:.3g}, and the threshold {self.session.watch.threshold:.3g}",
            style="bold red",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _to_alarms(watch: Watch, latents: Tensor, restart: bool) -> Iterator[tuple[Watch, Tensor, Watch]]:
    """The watch before and after parts of messages, which end at alarms where it is restarted after them."""
    while len(latents):
        after = watch.update(latents)
        end = len(latents) if after.alarmed_at is None or watch.alarm or not restart else after.alarmed_at - watch.count
        after = after if end == len(latents) else watch.update(latents[:end])
        yield watch, latents[:end], after
        latents, watch = latents[end:], _anew(after) if restart and after.alarm else after


def _anew(watch: Watch) -> Watch:
    """The watch after what raised its alarm was mended, with its messages counted on."""
    return replace(watch.restarted(), count=watch.count, rising_since=watch.count + 1)


def _check_early(messages: str, state: Path | None, plot: Path | None) -> None:
    """Refuse before the work what cannot be watched, and what could not be written after it."""
    if state is not None:
        if state.suffix != ".safetensors":
            raise ValueError(f"--state must be a file NAME.safetensors, got {state}")
        check_writable(state)
    if plot is not None:
        check_figure(plot)
        check_writable(plot)
        import_extra("matplotlib", "plot")
    if is_result_file(messages):
        raise ValueError(
            f"{messages}: holds results of a study, whose rows are cells and not messages in an order of time: `latentlink study report` "
            "compares them; watch the decoded latents of a link"
        )
    path = Path(messages)
    if path.suffix == ".csv" and path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            if file.readline(4096).strip() == ",".join(FRAME_LOG):
                raise ValueError(
                    f"{messages}: is the log of frames of `latentlink radio rx`, which has no latents: give it --stream FILE, too"
                )


def _facts(watch: Watch) -> dict[str, object]:
    low, high = (f"{number:,.0f}" if number < 1e9 else "many more" for number in watch.between)
    seen = f"{watch.count:,} messages, statistic {watch.statistic:.3g}" if watch.count else "nothing"
    return {
        "calibrated on": f"{len(watch.calibrating):,} messages, which forget each other after {watch.correlation_time:.3g}",
        "a false alarm in": f"{1 / watch.false_alarms:,.0f} messages (at one standard error {low} to {high})",
        "threshold": watch.threshold,
        "a shift by one deviation is told after": f"{watch.delay_for(1.0):.0f} messages in the mean",
        "seen before": seen if not watch.alarm else f"{seen}, alarm at message {watch.alarmed_at}",
    }
