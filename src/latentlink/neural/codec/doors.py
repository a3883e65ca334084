"""The checks of what a codec is trained on."""

from jaxtyping import Float
from torch import Tensor

from latentlink.latents.pilots import Pilots
from latentlink.linear.modes import SemanticModes
from latentlink.numerics.doors import AnyArray, finite


def check_pair(modes: SemanticModes, pilots: Pilots) -> None:
    """Raise ValueError where modes and pilots are not such, or do not belong together."""
    if not isinstance(modes, SemanticModes):
        raise ValueError(f"modes must be SemanticModes (semantic_modes(moments, goal)), got {type(modes).__name__}")
    if not isinstance(pilots, Pilots):
        raise ValueError(f"pilots must be Pilots(x, y, labels): networks need samples, got {type(pilots).__name__}")
    expected, got = (len(modes.mean_x), len(modes.mean_y)), (pilots.x.shape[1], pilots.y.shape[1])
    if expected != got:
        raise ValueError(f"pilots must be latents of dimensions {expected}, as the modes are, got {got}")
    if pilots.x.device != modes.strength.device:
        raise ValueError(f"pilots must be on the modes' device {modes.strength.device}, got {pilots.x.device}")
    if len(modes) == 0:
        raise ValueError("modes must be at least one: x says nothing of y in these pilots; look at their pairing")


def unpaired_latents(unpaired: AnyArray, modes: SemanticModes) -> Float[Tensor, "u d"]:
    """Latents (u, d) of the transmitter alone, on the device of the modes.

    Raises:
        ValueError: they are no finite real latents of dimension d.
    """
    x = finite("unpaired", unpaired)
    if x.is_complex() or x.ndim != 2 or x.shape[1] != len(modes.mean_x):
        raise ValueError(f"unpaired must be real latents (n, {len(modes.mean_x)}), got {x.dtype} {tuple(x.shape)}")
    return x.to(modes.mean_x.device)
