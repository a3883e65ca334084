"""Encoders by name, for the command line and study files: those that come as packages, and timm's."""

from collections.abc import Callable

from latentlink.data.encoders.image_encoder import Encoder
from latentlink.data.encoders.imagenet import OWN_SIZE, efficientnet_lite, mobilenet_v2
from latentlink.data.encoders.sentences import minilm, wordllama
from latentlink.data.encoders.timm import PREFIX, is_timm_model, timm_encoder
from latentlink.numerics.extras import import_extra, is_installed
from latentlink.numerics.validation import validate_call

ENCODERS: dict[str, Callable[[int], Encoder]] = {
    "mobilenet-v2": mobilenet_v2,
    "efficientnet-lite0": lambda size: efficientnet_lite(0, size),
    "efficientnet-lite1": lambda size: efficientnet_lite(1, size),
    "efficientnet-lite2": lambda size: efficientnet_lite(2, size),
}
TEXT_ENCODERS: dict[str, Callable[[], Encoder]] = {"minilm": minilm, "wordllama": wordllama}


def is_encoder_name(name: str) -> bool:
    """Tell whether `encoder` may know a name, without importing or building anything.

    Such a name is one of `ENCODERS` or `TEXT_ENCODERS`, "timm:NAME", or a plain one like timm's, which have underscores and no hyphens.
    """
    plain = "-" not in name and ("_" in name or is_installed("timm"))
    return name in ENCODERS or name in TEXT_ENCODERS or (name.startswith(PREFIX) and name != PREFIX) or (plain and ":" not in name)


@validate_call
def encoder(name: str, size: int | None = None) -> Encoder:
    """Build an encoder by its name: one of `ENCODERS` or timm's for images, one of `TEXT_ENCODERS` for texts.

    Args:
        name: "timm:NAME" is always timm's; a plain name that is in neither table is looked for there too.
        size: pixels to which images are scaled; None is the encoder's own, 64 for `ENCODERS` and the training size for timm's. An encoder
            of texts has none, and leaves it unused.

    Returns:
        The frozen encoder, on the CPU.

    Raises:
        ValueError: no encoder has that name; the message lists the known ones.
        ImportError: a package is missing; for an unknown name with an underscore, as timm's have, that package is timm.

    Example:
        >>> import latentlink as ll
        >>> transmitter = ll.data.encoder("mobilenet-v2")
        >>> transmitter.dim, transmitter.size  # pixels
        (1280, 64)
    """
    if name in TEXT_ENCODERS:
        return TEXT_ENCODERS[name]()
    if name in ENCODERS:
        return ENCODERS[name](OWN_SIZE if size is None else size)
    if name.startswith(PREFIX) or is_timm_model(name):
        return timm_encoder(name.removeprefix(PREFIX), size)
    listed = ", ".join((*ENCODERS, *TEXT_ENCODERS))
    if not is_installed("timm") and "_" in name:
        import_extra("timm", "timm", f"{name!r} is not among the encoders that need no timm: {listed}")
    raise ValueError(f"encoder must be one of {listed}, or a name of timm's models (pip install latentlink[timm]), got {name!r}")
