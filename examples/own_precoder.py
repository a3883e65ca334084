"""A lab's own precoder, as a method of a study: `name: own_precoder:DftPrecoder`."""

from dataclasses import replace

import torch

import latentlink as ll

SPREAD = ll.Status("spread by a DFT", "feasible: each mode is spread over all antennas, and the receiver equalises")


class DftPrecoder:
    """Spread the strongest modes over all transmit antennas by a DFT: a precoder that needs no channel knowledge at the transmitter.

    Args:
        decay: power of each symbol relative to the one before, which carries stronger modes; 1 gives all symbols the same power.
    """

    label = "DFT precoder"

    def __init__(self, decay: float = 1.0) -> None:
        self.decay = decay

    def design(self, known: "ll.studies.PilotKnowledge", channel: ll.Channel) -> ll.Solution:
        exact = ll.ClosedForm().design(known.modes(), channel).transceiver  # the order of the modes, and a decoder to be replaced
        symbols = exact.precoder.shape[-1] // 2
        shares = self.decay ** torch.arange(symbols, dtype=torch.float64)  # of the power, which two modes of a symbol halve
        F = torch.fft.fft(torch.eye(channel.n_tx, dtype=torch.complex128), norm="ortho")[:, :symbols] * (shares / shares.sum() / 2).sqrt()
        as_real = torch.cat([torch.cat([F.real, -F.imag], -1), torch.cat([F.imag, F.real], -1)])
        precoder = channel.power.sqrt()[..., None, None, None] * as_real
        link = replace(exact, precoder=precoder.expand_as(exact.precoder)).matched_to(channel)
        status = torch.full(channel.batch, SPREAD.code)
        return ll.Solution(link, status, expected_mse=None, expected_power=channel.power)
