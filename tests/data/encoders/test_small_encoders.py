import pytest
import torch

from data.digits_pair import trained_pair
from latentlink.data.datasets.images import digits
from latentlink.data.encoders.small import small_digit_encoders


@pytest.fixture(scope="module")
def pair():
    return trained_pair()


def accuracy(encoder):
    """Of a linear head, fitted by least squares on the training latents."""
    train, test = digits("train"), digits("test")

    def with_offset(images):
        y = encoder(images.images).double()
        return torch.cat([y, torch.ones(len(y), 1, dtype=y.dtype)], 1)

    targets = torch.nn.functional.one_hot(train.labels).double()
    y = with_offset(train)
    weight = torch.linalg.solve(y.T @ y + 1e-2 * torch.eye(y.shape[1]), y.T @ targets)
    return ((with_offset(test) @ weight).argmax(1) == test.labels).double().mean()


def test_both_know_the_digits_and_differ(pair):
    perceptron, convolutional = pair
    assert (perceptron.dim, convolutional.dim) == (96, 128)
    assert perceptron.fingerprint != convolutional.fingerprint
    for encoder in pair:
        assert accuracy(encoder) > 0.92
        assert (encoder(digits("test").images).std(0) > 1e-3).all()  # no dead dimension


def test_training_twice_gives_the_same_and_draws_nothing_and_other_images_give_other_encoders(pair):
    before = torch.get_rng_state()
    other = small_digit_encoders(digits("train").subset(slice(0, 100)))
    assert torch.equal(before, torch.get_rng_state())
    assert small_digit_encoders(digits("train").subset(slice(0, 100))) == other
    assert {encoder.fingerprint for encoder in other}.isdisjoint(encoder.fingerprint for encoder in pair)


def test_works_where_gradients_are_off():
    with torch.inference_mode():
        first, _ = small_digit_encoders(digits("train").subset(slice(0, 40)))
    assert first(digits("test").images[:2]).shape == (2, 96)


def test_only_grey_8x8():
    train = digits("train")
    with pytest.raises(ValueError, match="must be at least two grey ones"):
        small_digit_encoders(train.subset([0]))


def test_trains_on_one_thread_whatever_torch_computes_on(monkeypatch):
    some, seen = digits("train").subset(slice(0, 40)), []
    alone = small_digit_encoders(some)
    monkeypatch.setattr(
        "latentlink.data.encoders.small.on_terminal", lambda what: lambda *done: seen.append((torch.get_num_threads(), *done))
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert small_digit_encoders(some) == alone
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [(1, done, 80) for done in range(1, 81)]
