"""The words for cases of CSI in study files and commands, each in one place."""

from typing import Any, Literal

from latentlink.linear.csi_cases import BothEnds, CsiCase, Perfect, ReceiverOnly, Transmitter, TransmitterOnly, Unaware
from latentlink.numerics.doors import choice
from latentlink.numerics.validation import validate_call

CsiWord = Literal["perfect", "both-ends", "transmitter", "receiver-only", "transmitter-only", "unaware"]
NAMES: dict[str, type[CsiCase]] = {
    "perfect": Perfect,
    "both-ends": BothEnds,
    "transmitter": Transmitter,
    "receiver-only": ReceiverOnly,
    "transmitter-only": TransmitterOnly,
    "unaware": Unaware,
}


@validate_call
def named(word: str, **settings: Any) -> CsiCase:
    """The case that a word of `NAMES` stands for, with those of the settings that it has.

    Args:
        word: such as "both-ends".
        settings: fields of any of the cases, such as `robust` and `gain`.

    Returns:
        The case, for `ClosedForm(csi=…)`.

    Raises:
        ValueError: no case has this name, or a setting is wrong.

    Example:
        >>> import latentlink as ll
        >>> ll.csi.named("both-ends", robust=False, gain=0.5)
        BothEnds(robust=False)
    """
    kind = NAMES[choice("csi", word, NAMES)]
    return kind(**{name: value for name, value in settings.items() if name in getattr(kind, "__dataclass_fields__", {})})
