"""timm needs torchvision and weights, neither of which is here: its place is taken by a module that answers as it does."""

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from latentlink.data.encoders.catalogue import encoder
from latentlink.data.encoders.timm import is_timm_model, timm_encoder

HALF = (0.5, 0.5, 0.5)
VIT = {"input_size": (3, 224, 224), "interpolation": "bicubic", "crop_pct": 0.9, "mean": HALF, "std": HALF, "fixed_input_size": True}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
MODELS = {
    "vit_small_patch16_224": (384, VIT),
    "vit_base_patch16_224": (768, VIT),
    "resnet18": (512, {"input_size": (3, 224, 224), "interpolation": "bilinear", "crop_pct": 0.875, **IMAGENET}),
    "squashed": (4, {"input_size": (3, 64, 64), "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "squash", **IMAGENET}),
    "cut": (4, {"input_size": (3, 64, 64), "interpolation": "bilinear", "crop_pct": 0.5, "crop_mode": "squash", **IMAGENET}),
    "bordered": (4, {"input_size": (3, 64, 64), "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "border", **IMAGENET}),
    "lanczos": (4, {"input_size": (3, 64, 64), "interpolation": "lanczos", "crop_pct": 1.0, **IMAGENET}),
    "oblong": (4, {"input_size": (3, 64, 32), "interpolation": "bilinear", "crop_pct": 1.0, **IMAGENET}),
    "grey": (4, {"input_size": (1, 64, 64), "interpolation": "bilinear", "crop_pct": 1.0, **IMAGENET}),
    "mapped": (4, {"input_size": (3, 64, 64), "interpolation": "bilinear", "crop_pct": 1.0, **IMAGENET}),
}


class Model(nn.Module):
    """Mean colours through a linear layer; keeps what it saw last."""

    def __init__(self, name, dim, config, size):
        super().__init__()
        self.name, self.size, self.pretrained_cfg = name, size, config
        self.linear = nn.Linear(3, dim)
        self.dropout = nn.Dropout(0.5)
        self.seen = None

    def forward(self, x):
        if self.pretrained_cfg.get("fixed_input_size"):
            assert x.shape[2:] == (self.size, self.size), f"Input height ({x.shape[2]}) doesn't match model ({self.size})."
        self.seen = x
        return x if self.name == "mapped" else self.dropout(self.linear(x.mean((2, 3))))


@pytest.fixture
def timm(monkeypatch):
    fake, data = ModuleType("timm"), ModuleType("timm.data")
    fake.weights_seed, fake.calls = 0, []

    def create_model(name, pretrained=False, num_classes=1000, img_size=None):
        assert pretrained
        assert num_classes == 0
        dim, config = MODELS[name.split(".")[0]]
        fake.calls.append(img_size)
        torch.rand(1)  # timm draws initial weights
        model = Model(name, dim, config, config["input_size"][1] if img_size is None else img_size)
        with torch.no_grad():
            model.linear.weight.copy_(torch.randn(dim, 3, generator=torch.Generator().manual_seed(fake.weights_seed)))
            model.linear.bias.zero_()
        return model

    def resolve_data_config(args=None, pretrained_cfg=None, model=None, use_test_size=False, verbose=False):
        return {key: value for key, value in model.pretrained_cfg.items() if key != "fixed_input_size"}

    fake.create_model, fake.is_model = create_model, lambda name: name.split(".")[0] in MODELS
    fake.data, data.resolve_data_config = data, resolve_data_config
    monkeypatch.setitem(sys.modules, "timm", fake)
    monkeypatch.setitem(sys.modules, "timm.data", data)
    return fake


def pictures(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def seen_by(found, images):
    found(images)
    return found.function[1].seen


@pytest.mark.parametrize(("name", "dim"), [("vit_small_patch16_224", 384), ("vit_base_patch16_224", 768)])
@pytest.mark.parametrize("prefix", ["", "timm:"])
def test_the_papers_encoders_are_known_by_name(timm, name, dim, prefix):
    found = encoder(prefix + name)
    assert (found.name, found.dim, found.size) == (name, dim, 224)
    assert found(pictures(2, 32, 32, 3)).shape == (2, dim)
    assert not found.function.training
    assert not any(parameter.requires_grad for parameter in found.function.parameters())


def test_names_of_ours_stay_ours(timm):
    timm.is_model = lambda name: True
    assert encoder("mobilenet-v2").dim == 1280
    assert timm.calls == []


def test_images_are_prepared_as_timm_does(timm):
    """Scaled by Pillow's bicubic filter to 224 / 0.9 = 248 px, cropped to the middle, standardised."""
    image = pytest.importorskip("PIL.Image")
    for shape in ((32, 32), (500, 300), (60, 100)):
        pixels = pictures(*shape, 3)
        expected = image.fromarray(pixels.numpy())
        height, width = 248 * shape[0] // min(shape), 248 * shape[1] // min(shape)
        expected = expected.resize((width, height), image.Resampling.BICUBIC)
        top, left = round((height - 224) / 2), round((width - 224) / 2)
        expected = expected.crop((left, top, left + 224, top + 224))
        values = torch.frombuffer(bytearray(expected.tobytes()), dtype=torch.uint8).reshape(224, 224, 3)
        expected = (values / 255 - 0.5) / 0.5
        seen = seen_by(timm_encoder("vit_small_patch16_224"), pixels.unsqueeze(0))[0]
        torch.testing.assert_close(seen.permute(1, 2, 0), expected, rtol=0, atol=2.1 / 255)  # one shade


def test_bicubic_stays_within_the_colours(timm):
    step = torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
    step[:, :, 4:] = 255
    seen = seen_by(timm_encoder("vit_small_patch16_224"), step)
    assert (seen.min(), seen.max()) == (-1, 1)


def test_a_squashed_model_sees_the_whole_picture(timm):
    edge = torch.zeros(1, 10, 40, dtype=torch.uint8)
    edge[:, :, 0] = 255
    squashed, cropped = seen_by(timm_encoder("squashed"), edge), seen_by(timm_encoder("resnet18"), edge)
    assert squashed.shape[2:] == (64, 64)
    assert squashed[0, :, :, 0].min() > 0.3
    assert cropped.shape[2:] == (224, 224)
    assert (cropped.amax((2, 3)) < 0).all()  # the edge is cropped away


def test_grey_is_colour_with_equal_channels(timm):
    found, grey = timm_encoder("vit_small_patch16_224"), pictures(2, 28, 28)
    torch.testing.assert_close(found(grey), found(grey.unsqueeze(3).repeat(1, 1, 1, 3)))


def test_another_size_rebuilds_only_what_has_a_fixed_one(timm):
    assert seen_by(timm_encoder("vit_small_patch16_224", 96), pictures(1, 32, 32, 3)).shape[2:] == (96, 96)
    assert timm.calls == [None, 96]
    timm.calls.clear()
    assert seen_by(encoder("resnet18", 96), pictures(1, 32, 32, 3)).shape[2:] == (96, 96)
    assert timm.calls == [None]
    timm.calls.clear()
    assert timm_encoder("vit_small_patch16_224", 224) == timm_encoder("vit_small_patch16_224")
    assert timm.calls == [None, None]


def test_the_fingerprint_sees_weights_size_and_preprocessing(timm, monkeypatch):
    def of(name="vit_small_patch16_224", size=None, **config):
        monkeypatch.setitem(MODELS, "vit_small_patch16_224", (384, {**VIT, **config}))
        return timm_encoder(name, size).fingerprint

    base = of()
    assert of() == base
    others = [of(size=112), of(interpolation="bilinear"), of(crop_pct=1.0), of(mean=(0.4, 0.5, 0.5)), of(std=(0.4, 0.5, 0.5))]
    others += [of("vit_base_patch16_224"), of("vit_small_patch16_224.augreg_in1k"), of(crop_pct=1.0, crop_mode="squash")]
    timm.weights_seed = 1
    assert len({base, of(), *others}) == len(others) + 2


def test_building_one_draws_no_global_random_numbers(timm):
    before = torch.get_rng_state()
    timm_encoder("vit_small_patch16_224")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lanczos", "scales by lanczos"),
        ("bordered", "crops by border"),
        ("cut", "squeezes images to 128 px and crops them to 64"),
        ("oblong", r"takes images \(3, 64, 32\)"),
        ("grey", r"takes images \(1, 64, 64\)"),
        ("mapped", r"gave \(1, 3, 64, 64\) for one image"),
        ("nothing", "timm has no model 'nothing'"),
    ],
)
def test_models_that_are_none_of_these_say_why(timm, name, message):
    with pytest.raises(ValueError, match=message):
        timm_encoder(name)
    if name != "nothing":
        assert is_timm_model(name)


def test_sizes_that_a_model_refuses(timm, monkeypatch):
    with pytest.raises(ValueError, match="size must be an integer >= 1, got 0"):
        timm_encoder("resnet18", 0)
    monkeypatch.setattr(Model, "forward", lambda self, x: (_ for _ in ()).throw(AssertionError("patches do not fit")))
    with pytest.raises(ValueError, match=r"takes no images of 100 px \(patches do not fit\)"):
        timm_encoder("resnet18", 100)


def test_unknown_names_list_what_there_is(timm):
    for name in ("resnet", "no_such_model"):
        with pytest.raises(ValueError, match=rf"must be one of mobilenet-v2, .*wordllama, or a name of timm's .*got '{name}'"):
            encoder(name)
    with pytest.raises(ValueError, match="timm has no model 'mobilenet-v2'"):
        encoder("timm:mobilenet-v2")


def test_without_timm_its_names_ask_for_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    for name in ("vit_small_patch16_224", "timm:resnet18"):
        with pytest.raises(ImportError, match=r"pip install latentlink\[timm\]"):
            encoder(name)
    with pytest.raises(ImportError, match="mobilenet-v2, efficientnet-lite0"):
        encoder("vit_small_patch16_224")
    with pytest.raises(ValueError, match=r"mobilenet-v2.*latentlink\[timm\]"):
        encoder("resnet")
    assert not is_timm_model("resnet18")
