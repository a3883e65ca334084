"""What knowing the channel worse costs: the table of docs/csi.md, on Gaussian channels of an exponential profile with Jakes' spectrum.

Run: python benchmarks/csi.py
"""

import torch

import latentlink as ll

ANTENNAS, SNR_DB, CHANNELS, BAND = 4, 20.0, 200, 48
STATISTICS = ll.csi.ScatteringStatistics(rms_delay_spread_s=300e-9, doppler_hz=ll.csi.doppler_hz(30 / 3.6, 3.5e9))
PILOTS = ll.channels.ResourceElements.comb(12, BAND)


def modes() -> ll.SemanticModes:
    """64 common dimensions of falling variance, seen through random maps by both devices, with noise."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    common = normal(20_000, 64) * 0.9 ** torch.arange(64, dtype=torch.float64)
    x, y = (common @ normal(64, 64) + 0.1 * normal(20_000, 64) for _ in range(2))
    return ll.semantic_modes(ll.Moments.from_pairs(x, y))


def drawn(message: ll.channels.ResourceElements, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Channels (c, elements, n, n) at the pilots and at the message."""
    both = ll.channels.ResourceElements(PILOTS.subcarriers + message.subcarriers, PILOTS.symbols + message.symbols)
    values, vectors = torch.linalg.eigh(STATISTICS.covariance(both, both))
    white = ll.rayleigh(len(both), ANTENNAS**2, batch=(CHANNELS,), generator=generator)
    h = ((vectors * values.clamp(min=0).sqrt()) @ white).unflatten(-1, (ANTENNAS, ANTENNAS))
    return h[:, : len(PILOTS)], h[:, len(PILOTS) :]


def main() -> None:
    pair, columns = modes(), {}
    for delay_ms in (0, 2, 4):
        message = ll.channels.ResourceElements.over_frequency(4, BAND, symbol=12).delayed(28 * delay_ms)
        generator = torch.Generator().manual_seed(1)
        at_pilots, h = drawn(message, generator)
        truth = ll.Channel.from_grid(h, SNR_DB)
        noise = float(truth.noise_variance[0] / truth.power[0])  # a pilot has the power of a use
        least = ll.csi.least_squares_estimator(STATISTICS, PILOTS, message, pilot_noise=noise)
        known = {
            "interpolated": (least, generator.get_state()),
            "corrected": (least.corrected(), generator.get_state()),
            "LMMSE": (ll.csi.lmmse_estimator(STATISTICS, PILOTS, message, pilot_noise=noise), generator.get_state()),
        }
        seen = {name: e.known(truth, at_pilots, generator.set_state(state)) for name, (e, state) in known.items()}
        rows = {f"τ, {name}": one.error_variance.mean() for name, one in seen.items()}
        best = seen["LMMSE"]
        cases = {
            "perfect": (ll.csi.Perfect(), truth),
            "both ends: interpolated, naive": (ll.csi.BothEnds(robust=False), seen["interpolated"]),
            "both ends: corrected, robust": (ll.csi.BothEnds(), seen["corrected"]),
            "both ends: LMMSE, naive": (ll.csi.BothEnds(robust=False), best),
            "both ends: LMMSE, robust": (ll.csi.BothEnds(), best),
            "transmitter: LMMSE, naive": (ll.csi.Transmitter(robust=False), best),
            "transmitter: LMMSE, robust": (ll.csi.Transmitter(), best),
            "the same, H F from pilots": (ll.csi.Transmitter(), best),
            "the same, fed back with 4 bits": (ll.csi.Transmitter(), ll.csi.quantise_feedback(best, 4)),
            "the same, fed back with 6 bits": (ll.csi.Transmitter(), ll.csi.quantise_feedback(best, 6)),
            "receiver only": (ll.csi.ReceiverOnly(), best),
            "transmitter only": (ll.csi.TransmitterOnly(), best),
            "none": (ll.csi.Unaware(), best),
        }
        for name, (case, told) in cases.items():
            received = truth.estimated(noise, generator=2) if name.startswith("the same") else None  # H F from pilots
            used = case.at_reception(ll.ClosedForm(csi=case).design(pair, told), pair, truth, received)
            rows[name] = (used.known_mse / pair.variance).mean()
        columns[delay_ms] = rows
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{float(rows[name]):.4f}" for rows in columns.values()) + " |")


if __name__ == "__main__":
    main()
