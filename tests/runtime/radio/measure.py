"""Figures that are too slow for tests, from the folder of tests:

python -m runtime.radio.measure reception | errors | cost | headers | faults | shifts | pilots | noise | low
"""

import sys
import time
from dataclasses import replace

import numpy as np

from latentlink_runtime.radio import header as headers
from latentlink_runtime.radio.frame import FrameFormat
from latentlink_runtime.radio.header import Header, HeaderError
from latentlink_runtime.radio.numerology import LL_64_16, Numerology
from latentlink_runtime.radio.receiver import Receiver
from runtime.radio.air import noise
from runtime.radio.loops import loop

LOW = replace(LL_64_16, name="ll-64-16 low", stf_length=640, ltf_repetitions=2, header_repetitions=4)


def reception(numerology: Numerology = LL_64_16, frames: int = 60) -> None:
    """Frames received of 60 with 8 payload symbols, 4 taps, CFO .004, a fresh channel each."""
    for antennas, levels in ((1, (0, 2, 5, 10)), (2, (-5, -3, 0, 5)), (4, (-10, -8, -5, 0)), (8, (-12, -10, -8, -5))):
        for level in levels:
            shape = FrameFormat(antennas, numerology)
            air = loop(100 + antennas, antennas, antennas, level, frames, symbols=8, frame_format=shape, frequency=0.004)
            receiver = Receiver(shape, antennas)
            got = air.receive(receiver)
            wrong = sum(bool((np.abs(air.residual(frame)) ** 2).mean() > 3 * air.variance) for frame in got)
            lost = np.mean([frame.lost.mean() for frame in got]) if got else 0.0
            tell = f"{numerology.name} {antennas}x{antennas} {level:4d} dB: {len(got)}/{frames}"
            print(tell, f"symbols lost {lost:.4f}, bad {wrong},", dict(receiver.counters))


def errors() -> None:
    """Payload error against σ̂² + τ̂, σ̂² and τ̂ against truth, CFO."""
    cases = [
        (1, 10),
        (1, 20),
        (2, 0),
        (2, 10),
        (2, 20),
        (4, -5),
        (4, 0),
        (4, 5),
        (4, 10),
        (4, 20),
        (4, 30),
        (8, -5),
        (8, 0),
        (8, 10),
        (8, 20),
    ]
    for antennas, level in cases:
        air = loop(200 + antennas, antennas, antennas, level, 80, symbols=4, frequency=0.004, clock=20e-6)
        got = air.receive()
        payload = np.mean([(np.abs(air.residual(frame)) ** 2).mean() for frame in got])
        sigma = np.mean([frame.noise_variance for frame in got])
        tau = np.mean([frame.error_variance.mean() for frame in got])
        cfo = np.sqrt(np.mean([(frame.frequency - 0.004) ** 2 for frame in got]))
        tell = f"{antennas}x{antennas} {level:3d} dB, {len(got)}/80: σ̂²/σ² {sigma / air.variance:.3f}, τ̂/σ² {tau / air.variance:.3f}, "
        print(tell + f"payload/(σ̂² + τ̂) {payload / (sigma + tau):.3f}, payload/σ² {payload / air.variance:.3f}, CFO rms {cfo:.1e}")


def cost() -> None:
    """Milliseconds a frame of 16 payload symbols, the receiver alone, and of searching noise."""
    for antennas in (1, 2, 4, 8):
        air = loop(300, antennas, antennas, 15, 30, symbols=16, frequency=0.004)
        receiver, times = Receiver(air.frame_format, antennas), []
        for sent in air.sent:
            start = time.perf_counter()
            receiver.push(sent.samples)
            times.append(1e3 * (time.perf_counter() - start))
        white = noise(np.random.default_rng(0), (200_000, antennas), 1.0)
        start = time.perf_counter()
        receiver.push(white)
        rate = len(white) / (time.perf_counter() - start) / 1e6
        low, middle = np.percentile(times, [10, 50])
        print(f"{antennas}x{antennas}: {low:.1f} ms (p10), {middle:.1f} (p50); searches noise at {rate:.1f} MS/s an antenna")


def mutated(count: int = 100_000) -> None:
    """Headers of which chips were turned, and random ones."""
    rng, wrong, right = np.random.default_rng(5), 0, 0
    key = b"secret"
    for number in range(count):
        header = Header(sequence=number)
        chips = headers.encode(header.pack(key)).view(float)
        chips[rng.choice(416, rng.integers(10, 300), replace=False)] *= -1
        try:
            same = headers.receive(chips.view(complex), key)[0] == header
        except HeaderError:
            continue
        right, wrong = right + same, wrong + (not same)
    print(f"{count} headers mutated: {right} right, {wrong} wrong")


def silence(samples: int = 5_000_000) -> None:
    """Frames of noise."""
    rng = np.random.default_rng(6)
    for antennas in (1, 4):
        receiver = Receiver(FrameFormat(antennas), antennas)
        found = sum(len(receiver.push(noise(rng, (100_000, antennas), 1.0))) for _ in range(samples // 100_000))
        print(f"{antennas} antennas, {samples} samples of noise: {found} frames,", dict(receiver.counters))


def blind_pilots() -> None:
    """Faults with the pilots of the frame format, blind to shifts of 64 / 7 samples, and with others."""
    for pilots in (LL_64_16.pilots, (-19, -8, 8, 19)):
        for seed in (30, 31):
            print(pilots, end=" ")
            faults(seed=seed, pilots=pilots)


def faults(trials: int = 200, seed: int = 77, pilots: tuple[int, ...] = LL_64_16.pilots) -> None:
    """Drops and doubles of 1 to 400 samples in streams of 7 frames."""
    from runtime.radio.test_stream import damaged

    rng = np.random.default_rng(seed)
    shape = FrameFormat(4, replace(LL_64_16, pilots=pilots))
    air = loop(48, 4, 4, 10, 7, symbols=4, same=True, frequency=0.004, clock=20e-6, frame_format=shape)
    ends = np.cumsum([len(sent.samples) for sent in air.sent])
    begin = [int(end) - len(sent.samples) + sent.first for end, sent in zip(ends, air.sent, strict=True)]
    count = dict.fromkeys(("untouched", "untouched lost", "untouched flagged", "touched heard", "damaged flagged", "damaged accepted"), 0)
    for _ in range(trials):
        stream, first, last, _ = damaged(air, rng)
        got = {frame.header.sequence: frame for frame in Receiver(shape, 4).push(stream)}
        for number, start in enumerate(begin):
            frame = got.get(number)
            if start + 1640 <= first or start >= last:
                count["untouched"] += 1
                count["untouched lost"] += frame is None
                count["untouched flagged"] += frame is not None and bool(frame.lost.any())
            elif frame is not None:
                error = (np.abs(air.residual(frame)) ** 2).reshape(4, -1).mean(1) / air.variance
                count["touched heard"] += 1
                count["damaged flagged"] += int(frame.lost.sum())
                count["damaged accepted"] += int(((error > 2) & ~frame.lost).sum())
    print(count)


def shifts(seeds: int = 30, trials: int = 60) -> None:
    """Drops and doubles of 1 to 1,000 samples that begin within a frame of 4 payload symbols, a fresh channel each frame."""
    for antennas, level in ((1, 10), (1, 20), (2, 10), (2, 20), (4, 10), (4, 20)):
        damaged = accepted = sound = refused = follows = missed = 0
        for seed in range(seeds):
            rng = np.random.default_rng([seed, antennas, level])
            air = loop(seed, antennas, antennas, level, 8, symbols=4, frequency=0.004, clock=20e-6)
            ends, stream = np.cumsum([0] + [len(sent.samples) for sent in air.sent]), air.stream
            for _ in range(trials):
                k = int(rng.integers(1, 6))
                at = int(ends[k]) + air.sent[k].first + int(rng.integers(0, 1296 + 80 * antennas))
                count = int(np.exp(rng.uniform(0, np.log(1000)))) * (1 if rng.random() < 0.5 else -1)
                moved = np.concatenate([stream[ends[k] : at], stream[at + count : ends[k + 2]]])
                got = {frame.header.sequence: frame for frame in Receiver(air.frame_format, antennas).push(moved)}
                if int(ends[k + 1]) + air.sent[k + 1].first >= at + max(count, 0):
                    follows, missed = follows + 1, missed + (k + 1 not in got)
                if k in got:
                    error = (np.abs(air.residual(got[k])) ** 2).reshape(4, -1).mean(1) / air.variance
                    damaged, accepted = damaged + int((error > 3).sum()), accepted + int(((error > 3) & ~got[k].lost).sum())
                    sound, refused = sound + int((error < 2).sum()), refused + int(((error < 2) & got[k].lost).sum())
        tell = f"{antennas}x{antennas} {level} dB: {accepted} of {damaged} damaged symbols accepted, {refused} of {sound} sound ones of"
        print(f"{tell} the same frames lost, {missed} of {follows} next frames missed")


def main() -> None:
    """What the command line names."""
    tasks = {
        "reception": reception,
        "low": lambda: reception(LOW),
        "errors": errors,
        "cost": cost,
        "headers": mutated,
        "noise": silence,
        "faults": faults,
        "pilots": blind_pilots,
        "shifts": shifts,
    }
    for name in sys.argv[1:]:
        tasks[name]()


if __name__ == "__main__":
    main()
