import math

import numpy as np
import pytest
import torch
from torch import nn

import latentlink as ll

N, D, M = 120, 6, 5


def latents(n, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    mixing = torch.Generator().manual_seed(99)
    A, centres = (torch.randn(*shape, dtype=torch.float64, generator=mixing) for shape in ((D, M), (3, D)))
    x = 2 * centres[labels] + torch.randn(n, D, dtype=torch.float64, generator=generator)
    return x, x @ A + 0.1 * torch.randn(n, M, dtype=torch.float64, generator=generator) + 1, labels


X, Y, LABELS = latents(N, 0)
TRAINING = latents(300, 1)
MODES = ll.semantic_modes(ll.Moments.from_pairs(*TRAINING[:2]))
H = ll.rayleigh(2, 2, batch=(3,), generator=torch.Generator().manual_seed(2))
LINEAR = ll.fit_head(TRAINING[1], TRAINING[2])


class Nonlinear(nn.Module):
    def forward(self, y):
        return (LINEAR(y) / 5).tanh() + 0.1 * y[:, :3].square()


HEADS = {"linear": LINEAR, "float32": nn.Linear(M, 3).requires_grad_(False), "nonlinear": Nonlinear()}
with torch.no_grad():
    HEADS["float32"].weight.copy_(LINEAR.weight)
    HEADS["float32"].bias.copy_(LINEAR.bias)


def design(channel, power=None):
    return ll.ClosedForm(power=power or ll.power.Mean()).design(MODES, channel).transceiver


def brute(head, transceiver, channel, y_hat):
    """All that is measured, from ŷ itself."""
    s = transceiver.encode(X)
    energy = s.abs().square().sum((-2, -1)) / channel.uses
    decide = lambda latents: head(latents.flatten(0, -2).to(next(head.parameters(), latents).dtype)).argmax(-1).reshape(latents.shape[:-1])  # noqa: E731
    return {
        "accuracy": (decide(y_hat) == LABELS).double().mean(-1),
        "agreement": (decide(y_hat) == decide(Y)).double().mean(-1),
        "mse": ll.metrics.mse(y_hat, Y),
        "nmse": ll.metrics.nmse(y_hat, Y),
        "power": energy.mean(-1).expand(channel.batch),
        "peak_power": energy.amax(-1).expand(channel.batch),
    }


def assert_measured(result, expected):
    assert result.messages == N
    for name, value in expected.items():
        torch.testing.assert_close(getattr(result, name), value, msg=lambda text, name=name: f"{name}: {text}")


CHANNELS = {
    "batch": ll.Channel(H.unsqueeze(1), 0.0, 2.0).repeated(2),
    "one": ll.Channel(H[0], 0.0) if H[0].ndim == 3 else ll.Channel(H[:1], 0.0),
    "sweep": ll.Channel(H.unsqueeze(1).expand(2, 3, 1, 2, 2), 0.0, torch.tensor([[1.0], [4.0]], dtype=torch.float64)),
}


@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_without_noise_it_is_what_brute_force_counts(channel, head):
    noisy = ll.Channel(channel.h, 0.5, channel.power)
    for transceiver in (
        design(noisy),
        design(noisy, ll.power.PerMessage(x=TRAINING[0], y=TRAINING[1])) if channel.uses == 1 else design(noisy, ll.power.PerUse()),
    ):
        expected = brute(head, transceiver, channel, ll.transmit(transceiver, X, channel))
        assert_measured(ll.evaluate(transceiver, X, Y, channel=channel, head=head, labels=LABELS), expected)
        few = ll.evaluate(transceiver, X.numpy(), Y.numpy(), channel=channel, head=head, labels=LABELS.numpy(), entries=200)
        assert_measured(few, expected)  # a few messages at a time


def test_with_noise_it_is_the_expected_error_and_power_within_monte_carlo_error():
    channel = ll.Channel.from_snr(H, 5.0)
    solution = ll.ClosedForm().design(MODES, channel)
    x, y, _ = TRAINING
    repeats = [
        ll.evaluate(solution.transceiver, x, y, channel=channel, head=LINEAR, generator=torch.Generator().manual_seed(seed)).mse
        for seed in range(30)
    ]
    measured = torch.stack(repeats)
    assert ((measured.mean(0) - solution.expected_mse).abs() < 5 * measured.std(0) / math.sqrt(30)).all()
    power = ll.evaluate(solution.transceiver, x, y, channel=channel, head=LINEAR).power
    torch.testing.assert_close(power, solution.expected_power)


def test_with_noise_the_accuracy_is_that_of_transmitted_latents():
    channel, copies = ll.Channel.from_snr(H, 0.0), 20
    transceiver = design(channel)
    x, y, labels = X.repeat(copies, 1), Y.repeat(copies, 1), LABELS.repeat(copies)
    measured = ll.evaluate(transceiver, x, y, channel=channel, head=LINEAR, labels=labels, generator=torch.Generator().manual_seed(0))
    y_hat = ll.transmit(transceiver, x, channel, generator=torch.Generator().manual_seed(1))
    direct = torch.tensor([ll.metrics.accuracy(LINEAR, one, labels).overall.value for one in y_hat])
    assert ((measured.accuracy - direct).abs() < 6 * math.sqrt(0.5 / len(x))).all()
    assert (
        (measured.agreement - torch.tensor([ll.metrics.agreement(LINEAR, one, y).value for one in y_hat])).abs()
        < 6 * math.sqrt(0.5 / len(x))
    ).all()


def test_classes_are_counted_apart():
    channel = CHANNELS["batch"]
    transceiver = design(ll.Channel(channel.h, 2.0, channel.power))
    result = ll.evaluate(transceiver, X, Y, channel=channel, head=LINEAR, labels=LABELS)
    decided = LINEAR(ll.transmit(transceiver, X, channel)).argmax(-1)
    assert list(result.per_class) == [0, 1, 2]
    for c, share in result.per_class.items():
        torch.testing.assert_close(share, (decided[:, c == LABELS] == c).double().mean(-1))
    torch.testing.assert_close(sum(result.per_class.values()) / 3, result.accuracy)


def test_without_labels_there_is_no_accuracy():
    result = ll.evaluate(design(CHANNELS["batch"]), X, Y, channel=CHANNELS["batch"], head=LINEAR)
    assert result.accuracy is None
    assert result.per_class == {}
    assert (result.agreement > 0.9).all()


def test_a_link_for_one_channel_may_pass_a_batch_of_others():
    batch = CHANNELS["batch"]
    transceiver = design(batch[1])
    together = ll.evaluate(transceiver, X, Y, channel=batch, head=LINEAR, labels=LABELS)
    for i in range(3):
        alone = ll.evaluate(transceiver, X, Y, channel=batch[i], head=LINEAR, labels=LABELS)
        for name in ("accuracy", "agreement", "mse", "nmse", "power", "peak_power"):
            torch.testing.assert_close(getattr(together, name)[i], getattr(alone, name))


def test_float32_links_and_integer_latents_are_measured_too():
    channel = CHANNELS["batch"]
    transceiver = design(ll.Channel(channel.h, 0.5, channel.power))
    exact = ll.evaluate(transceiver, X, Y, channel=channel, head=LINEAR, labels=LABELS)
    deployed = ll.evaluate(transceiver.to(torch.float32), X.float(), Y.float(), channel=channel, head=LINEAR, labels=LABELS)
    torch.testing.assert_close(deployed.mse.double(), exact.mse, rtol=1e-3, atol=1e-3)
    whole = ll.evaluate(transceiver, X.round().int().numpy(), Y, channel=channel, head=LINEAR)
    torch.testing.assert_close(whole.mse, ll.evaluate(transceiver, X.round(), Y, channel=channel, head=LINEAR).mse)


def test_what_does_not_fit_is_refused():
    channel = CHANNELS["batch"]
    transceiver = design(channel)
    for x, y, over, labels in (
        (X[:5], Y, channel, None),
        (X[:, :5], Y, channel, None),
        (X, Y[:, :3], channel, None),
        (X, Y * math.nan, channel, None),
        (X, Y, channel, np.arange(5)),
        (X, Y, channel[0], None),
        (X, Y, channel[:2], None),
        (X, Y, channel.repeated(2), None),
        (X, Y, ll.Channel(torch.ones(2, 2, 3, dtype=torch.complex128)), None),
    ):
        with pytest.raises(ValueError, match=r"must|NaN"):
            ll.evaluate(transceiver, x, y, channel=over, head=LINEAR, labels=labels)


def test_without_a_head_errors_and_power_are_measured_and_no_decisions():
    channel = CHANNELS["batch"]
    seen = ll.evaluate(design(channel), X, Y, channel=channel)
    assert seen.accuracy is None
    assert seen.agreement is None
    assert seen.per_class == {}
    torch.testing.assert_close(seen.nmse, ll.evaluate(design(channel), X, Y, channel=channel, head=LINEAR).nmse)
    with pytest.raises(ValueError, match="head must be given where labels are"):
        ll.evaluate(design(channel), X, Y, channel=channel, labels=LABELS)


def test_an_evaluation_shows_itself_in_one_line():
    channel = CHANNELS["batch"]
    seen = ll.evaluate(design(channel), X, Y, channel=channel, head=LINEAR, labels=LABELS)
    assert repr(seen).startswith(f"Evaluation({channel.batch.numel()} channels, {N} messages, accuracy ")
    assert "\n" not in repr(seen)
    assert seen._repr_html_().startswith("<table>")
