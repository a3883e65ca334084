"""Two small encoders for 8x8 digits, trained in seconds: a pair of latent spaces for machines without pretrained networks.

They differ as those of two vendors would: in architecture (perceptron, convolutions), initial weights, order and half of the training data.
They are trained on one thread: networks as small as these gain nothing from several, which wait for each other where cores are busy.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from latentlink.data.datasets.images import ImageSet
from latentlink.data.encoders.image_encoder import Encoder, fingerprint
from latentlink.numerics.progress import on_terminal
from latentlink.numerics.threads import one_thread
from latentlink.numerics.validation import validate_call

SIDE = 8  # pixels
PERCEPTRON_DIM = 96
CONVOLUTIONAL_DIM = 128
EPOCHS = 40
BATCH = 64
STEP = 2e-3
SEEDS = (11, 23)


class Shades(nn.Module):
    """Map uint8 grey images (n, 8, 8) to (n, 1, 8, 8) in -1..1."""

    def forward(self, images: UInt8[Tensor, "n h w"]) -> Float32[Tensor, "n 1 h w"]:
        return images.unsqueeze(1).float() / 127.5 - 1


def _perceptron() -> nn.Sequential:
    return nn.Sequential(Shades(), nn.Flatten(), nn.Linear(SIDE * SIDE, 192), nn.GELU(), nn.Linear(192, PERCEPTRON_DIM), nn.GELU())


def _convolutional() -> nn.Sequential:
    first = [nn.Conv2d(1, 16, 3, padding=1), nn.GELU()]
    second = [nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.GELU(), nn.Flatten()]
    return nn.Sequential(Shades(), *first, *second, nn.Linear(32 * (SIDE // 2) ** 2, CONVOLUTIONAL_DIM), nn.GELU())


@validate_call
def small_digit_encoders(images: ImageSet) -> tuple[Encoder, Encoder]:
    """Train a perceptron (96-d) and a small convolutional network (128-d), independently of each other, on grey 8x8 images.

    Each learns to classify its own half of the images (even rows, odd rows) by cross-entropy; the latent is the layer before the
    classifier. The same images give the same encoders, on however many threads torch computes otherwise; the global random state does
    not change. Training takes seconds, and a line on the terminal tells how far it is.

    Args:
        images: grey images (n, 8, 8) with labels, such as `digits("train")`.

    Returns:
        The transmitter's perceptron and the receiver's convolutional network.

    Raises:
        ValueError: images of another shape, or fewer than two.

    Example:
        >>> import latentlink as ll
        >>> at_transmitter, at_receiver = ll.data.small_digit_encoders(ll.data.digits("train"))  # doctest: +SKIP
        >>> at_transmitter.dim, at_receiver.dim  # doctest: +SKIP
        (96, 128)
    """
    if images.images.shape[1:] != (SIDE, SIDE) or len(images) < 2:
        raise ValueError(f"images must be at least two grey ones, (n, {SIDE}, {SIDE}), got {tuple(images.images.shape)}")
    even, odd = images.subset(slice(0, None, 2)), images.subset(slice(1, None, 2))
    shown = on_terminal("epochs of training two small encoders")
    with torch.device("cpu"), torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad(), one_thread():
        perceptron = _train("small-perceptron", _perceptron, PERCEPTRON_DIM, even, SEEDS[0], lambda done: shown(done, 2 * EPOCHS))
        convolutional = _train(
            "small-convolutional", _convolutional, CONVOLUTIONAL_DIM, odd, SEEDS[1], lambda done: shown(EPOCHS + done, 2 * EPOCHS)
        )
    return perceptron, convolutional


def _train(
    name: str, build: Callable[[], nn.Sequential], dim: int, images: ImageSet, seed: int, progress: Callable[[int], None]
) -> Encoder:
    """Train an encoder and a classifier with Adam on cross-entropy, and tell the epochs that are done; call it within `fork_rng`."""
    if images.labels is None:
        raise ValueError(f"images must have labels to train small encoders on, got none in {images.name}")
    torch.default_generator.manual_seed(seed)  # layers draw from it; torch.manual_seed would set the GPUs' too
    network = build()
    classifier = nn.Linear(dim, len(images.classes))
    optimiser = torch.optim.Adam([*network.parameters(), *classifier.parameters()], lr=STEP)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images), generator=generator, device="cpu")
        for start in range(0, len(images), BATCH):
            batch = order[start : start + BATCH]
            loss = nn.functional.cross_entropy(classifier(network(images.images[batch])), images.labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        progress(epoch + 1)
    network = network.eval().requires_grad_(False)
    return Encoder(name, dim, fingerprint(network.state_dict(), name, "x / 127.5 - 1"), network)
