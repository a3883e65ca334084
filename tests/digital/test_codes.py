"""Block codes, amplitudes and their predictions, against counting and closed forms."""

import math

import pytest
import torch

from latentlink.digital.coding.amplitudes import MOST_BITS, amplitudes, label_bits, levels, log_ratios, symbol_error, totals
from latentlink.digital.coding.block_code import BlockCode, ShortCode, crc_bits, payload_of, shortest
from oracles import seeded


def bits(seed, *shape):
    return torch.randint(0, 2, shape, generator=seeded(seed))


@pytest.mark.parametrize("count", range(1, MOST_BITS + 1))
def test_amplitudes_have_unit_energy_and_gray_labels(count):
    points = levels(count)
    torch.testing.assert_close(points.square().mean(), torch.tensor(1.0, dtype=torch.float64))
    order = points.argsort()
    neighbours = label_bits(count)[order]
    assert ((neighbours[1:] != neighbours[:-1]).sum(-1) == 1).all()
    sent = bits(1, 50, count)
    assert torch.equal((log_ratios(amplitudes(sent), count, torch.tensor(1e4)) > 0).long(), sent)


def test_log_ratios_are_those_of_a_binary_symbol():
    received = torch.linspace(-2, 2, 9, dtype=torch.float64)
    torch.testing.assert_close(log_ratios(received, 1, torch.tensor(3.0)).squeeze(-1), 2 * 3.0 * received)


def test_information_is_at_most_capacity_and_grows_with_snr():
    snr = torch.logspace(-2, 4, 40, dtype=torch.float64)
    informs, varies = totals(snr)
    assert (informs <= 0.5 * torch.log2(1 + snr).unsqueeze(-1) + 1e-3).all()  # interpolated
    assert (informs.diff(dim=0) >= -1e-9).all()
    assert (varies >= 0).all()
    torch.testing.assert_close(informs[-1], torch.arange(1.0, MOST_BITS + 1, dtype=torch.float64), atol=2e-3, rtol=0)


def test_information_is_that_of_drawn_noise():
    snr, count, n = torch.tensor(20.0, dtype=torch.float64), 2, 200_000
    sent = bits(2, n, count)
    ratios = log_ratios(amplitudes(sent) + torch.randn(n, dtype=torch.float64, generator=seeded(3)) / snr.sqrt(), count, snr)
    density = (1 - torch.nn.functional.softplus((1 - 2 * sent) * ratios) / math.log(2)).sum(-1)
    assert float(totals(snr)[0][count - 1]) == pytest.approx(float(density.mean()), abs=5 * float(density.std()) / n**0.5 + 2e-3)


def test_symbol_errors_are_those_of_drawn_noise():
    snr, count, n = torch.tensor(15.0, dtype=torch.float64), 2, 100_000
    sent = bits(4, n, count)
    ratios = log_ratios(amplitudes(sent) + torch.randn(n, dtype=torch.float64, generator=seeded(5)) / snr.sqrt(), count, snr)
    wrong = float(((ratios > 0).long() != sent).any(-1).double().mean())
    expected = float(symbol_error(torch.tensor(count), snr))
    assert wrong == pytest.approx(expected, abs=5 * (expected / n) ** 0.5)


@pytest.mark.parametrize(("payload", "length"), [(12, 30), (60, 100), (400, 600)])
def test_a_block_comes_back_and_a_broken_one_is_noticed(payload, length):
    code, sent = BlockCode(payload, length, "cpu"), bits(6, 40, payload)
    coded = code.encode(sent)
    assert coded.shape == (40, length)
    assert set(coded.unique().tolist()) == {0, 1}
    read, holds = code.decode((2.0 * coded - 1) * 5)
    assert torch.equal(read, sent)
    assert holds.all()
    noise = torch.randn(40, length, generator=seeded(7))
    assert code.decode(noise)[1].double().mean() < 0.1  # a CRC of 6 bits passes 1.6 % of what is wrong


def test_crcs_are_linear_and_detect_every_single_error():
    code, sent = BlockCode(30, 60, "cpu"), bits(8, 2, 30)
    parity = code.crc(torch.cat([sent, (sent[:1] ^ sent[1:])]))
    assert torch.equal(parity[0] ^ parity[1], parity[2])
    assert code.crc(torch.eye(30, dtype=torch.long)).any(-1).all()


def test_the_crc_of_a_known_message():
    """CRC-16 of 38.212 (x¹⁶ + x¹² + x⁵ + 1, started at 0) of the ASCII digits 1 to 9 is 0x31C3, wherever leading zeros begin."""
    code = BlockCode(2000, 2400, "cpu")
    message = torch.tensor([int(bit) for byte in b"123456789" for bit in f"{byte:08b}"])
    padded = torch.nn.functional.pad(message, (2000 - len(message), 0)).unsqueeze(0)
    assert int("".join(map(str, code.crc(padded)[0].tolist())), 2) == 0x31C3


def test_payloads_and_crcs_fit():
    assert [crc_bits(size) for size in (12, 19, 20, 1706, 1707, 3824, 3825)] == [6, 6, 11, 11, 16, 16, 24]
    for size in (0, 1, 18, 30, 200, 8448):
        payload = payload_of(size)
        assert payload == 0 or payload + crc_bits(payload) <= size
        assert payload == max((p for p in range(size) if p + crc_bits(p) <= size), default=0)


def test_short_codes_keep_their_distance():
    for payload, distance in ((1, 32), (6, 16), (10, 12), (11, 10)):
        code = ShortCode(payload, 32, "cpu")
        messages = torch.arange(2**payload).unsqueeze(-1) >> torch.arange(payload) & 1
        weight = code.encode(messages).sum(-1)
        assert int(weight[1:].min()) == distance
    for length in (shortest(8), 20, 77):
        code, sent = ShortCode(8, length, "cpu"), bits(9, 30, 8)
        coded = code.encode(sent)
        received = 2.0 * coded - 1
        received[:, 3] *= -1 if length > 20 else 1
        assert torch.equal(code.decode(received)[0], sent)
