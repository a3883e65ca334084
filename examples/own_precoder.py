"""A lab's own precoder, as a method of a study: `name: own_precoder:DftPrecoder`."""

from dataclasses import replace

import torch

import latentlink as ll

SPREAD = ll.Status("spread by a DFT", "feasible: each mode is spread over all antennas, and the receiver equalises")


class DftPrecoder:
    """Spread the strongest modes over all transmit antennas by a DFT: a precoder that needs no channel knowledge at the transmitter."""

    label = "DFT precoder"

    def __init__(self, share: float = 1.0) -> None:
        self.share = share  # of the power budget

    def design(self, known: "ll.studies.PilotKnowledge", channel: ll.Channel) -> ll.Solution:
        exact = ll.ClosedForm().design(known.modes(), channel).transceiver  # the order of the modes, and a decoder to be replaced
        symbols = exact.precoder.shape[-1] // 2
        F = torch.fft.fft(torch.eye(channel.n_tx, dtype=torch.complex128), norm="ortho")[:, :symbols]
        as_real = torch.cat([torch.cat([F.real, -F.imag], -1), torch.cat([F.imag, F.real], -1)])
        amplitude = (self.share * channel.power / (2 * symbols)).sqrt()[..., None, None, None]
        link = replace(exact, precoder=(amplitude * as_real).expand_as(exact.precoder)).matched_to(channel)
        status = torch.full(channel.batch, SPREAD.code)
        return ll.Solution(link, status, expected_mse=None, expected_power=self.share * channel.power)
