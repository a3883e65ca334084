"""Links as modules: exact derivatives through the whole chain, and all that modules are expected to do."""

import copy
import pickle

import pytest
import torch
from jaxtyping import TypeCheckError

import latentlink as ll
from latentlink.links.transceiver import BaseTransceiver
from neural.codec.clouds import channel, training, world


def links():
    data, _, _, modes = world()
    radio = channel(2, 2, batch=(2,))
    return {
        "linear": ll.ClosedForm().design(modes, radio).transceiver,
        "codec": training().untrained(modes, data).design(radio).transceiver,
        "codec, each message": training(power=ll.power.PerMessage()).untrained(modes, data).design(radio).transceiver,
    }


def chain(link, seed=3):
    radio = channel(2, 2, batch=(2,))
    return torch.nn.Sequential(ll.nn.Precoder(link), ll.nn.ChannelLayer(radio, seed=seed), ll.nn.Decoder(link))


@pytest.mark.parametrize("name", ["linear", "codec", "codec, each message"])
def test_derivatives_through_the_chain_are_finite_differences(name):
    link = links()[name]
    x = world()[1].x[:2].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: chain(link).double()(x), (x,))


@pytest.mark.parametrize("name", ["linear", "codec"])
def test_modules_do_what_the_link_does(name):
    link, x, radio = links()[name], world()[1].x[:5], channel(2, 2, batch=(2,))
    s = ll.nn.Precoder(link)(x)
    assert torch.equal(s, link.encode(x))
    r = radio.apply(s, 3)
    assert torch.equal(ll.nn.ChannelLayer(radio, seed=3)(s), r)
    assert torch.equal(ll.nn.Decoder(link)(r), link.decode(r))


@pytest.mark.parametrize("name", ["linear", "codec"])
def test_copies_pickles_and_state_are_whole(name):
    link, x = links()[name], world()[1].x[:5]
    whole = chain(link)
    twins = copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))
    expected = [whole(x), whole(x)]
    assert not torch.equal(*expected)  # fresh noise in every call
    for twin in twins:
        assert torch.equal(twin(x), expected[0])
        assert torch.equal(twin(x), expected[1])
    other = chain(link)
    with torch.no_grad():
        for value in other.buffers():
            value.zero_()
    assert not torch.equal(other(x), expected[0])
    other = chain(link)
    other.load_state_dict(whole.state_dict())
    assert torch.equal(other(x), expected[0])


@pytest.mark.parametrize("name", ["linear", "codec"])
def test_precision_follows_the_module(name):
    whole, x = chain(links()[name]), world()[1].x[:5]
    single, double = copy.deepcopy(whole).float()(x), whole.double()(x)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert whole.to(torch.float32)(x).dtype == torch.float32
    assert whole[0](x).dtype == torch.complex64


@pytest.mark.parametrize("trainable", [False, True])
def test_own_encoders_and_links_train_end_to_end(trainable):
    generator = torch.Generator().manual_seed(0)
    link, radio = links()["linear"].to(torch.float32), channel(2, 2, batch=(2,))
    encoder = torch.nn.Linear(3, 12, dtype=torch.float32)
    with torch.no_grad():
        encoder.weight.normal_(generator=generator)
    precoder = ll.nn.Precoder(link, trainable=trainable)
    whole = torch.nn.Sequential(encoder, precoder, ll.nn.ChannelLayer(radio, seed=1), ll.nn.Decoder(link))
    assert bool(list(precoder.parameters())) == trainable
    raw = torch.randn(64, 3, generator=generator)
    wanted = link.mean_y + 3 * raw @ torch.randn(3, 4, generator=generator) @ link.synthesis[:, :4].mT
    adam, losses = torch.optim.Adam(whole.parameters(), 0.1), []
    before = {name: value.clone() for name, value in precoder.state_dict().items()}
    for _ in range(40):
        loss = (whole(raw) - wanted).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    moved = {name for name, value in precoder.state_dict().items() if not torch.equal(value, before[name])}
    assert ("link.precoder" in moved) == trainable
    assert not any(name.startswith("link.channel") for name in moved)


def test_networks_around_a_link_are_compiled():
    link, radio = links()["linear"].to(torch.float32), channel(2, 2, batch=(2,))
    encoder = torch.nn.Sequential(torch.nn.Linear(3, 12), torch.nn.Tanh())
    whole = torch.nn.Sequential(encoder, ll.nn.Precoder(link), ll.nn.ChannelLayer(radio, seed=1), ll.nn.Decoder(link))
    twin, raw = copy.deepcopy(whole), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(twin, backend="eager")
    outputs = [model(raw) for model in (whole, compiled)]
    torch.testing.assert_close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    torch.testing.assert_close(whole[0][0].weight.grad, twin[0][0].weight.grad)


class Quantiser(BaseTransceiver):
    """A user's own transceiver that passes no gradients."""

    batch, mean_y, synthesis = torch.Size(), torch.zeros(2), torch.eye(2)
    channel, flops = ll.Channel(torch.ones(1, 1, 2, dtype=torch.complex64)), None

    def __init__(self):
        self.scale = torch.ones(1)

    def encode(self, x):
        return torch.complex((self.scale * x).sign().detach(), torch.zeros_like(x)).unsqueeze(-2).detach()

    def receive(self, r):
        return r.real.squeeze(-2)

    def to(self, target):
        return self

    def save(self, path):
        raise ValueError("a Quantiser is not saved")


def test_what_passes_no_gradients_is_refused():
    own = ll.nn.Precoder(Quantiser())
    assert own(torch.ones(3, 2)).shape == (3, 1, 2)
    with pytest.raises(ValueError, match="must pass gradients, which Quantiser does not"):
        own(torch.ones(3, 2, requires_grad=True))
    with pytest.raises((ValueError, TypeCheckError), match="transceiver"):
        ll.nn.Decoder(channel())
    with pytest.raises((ValueError, TypeCheckError), match="channel"):
        ll.nn.ChannelLayer(links()["linear"])
    with pytest.raises((ValueError, TypeCheckError), match="seed"):
        ll.nn.ChannelLayer(channel(), seed=1.5)
