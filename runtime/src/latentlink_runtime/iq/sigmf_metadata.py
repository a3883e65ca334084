"""What the metadata of a recording say, checked field by field before a sample is read (see `sigmf`)."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from latentlink_runtime.iq.protocol import IQError, check_stream

MAX_META_BYTES, MAX_ANNOTATIONS = 2**24, 2**17
SAMPLE_BYTES = {"cf32_le": 8, "ci16_le": 4}
OWN, RECORDER = "latentlink:", "latentlink-runtime"


def parse_metadata(content: bytes, path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The global fields and the annotations of metadata, as far as they are needed to read the samples.

    Raises:
        IQError: a field is missing, or of a kind that is not read; the message names it.
    """
    if len(content) > MAX_META_BYTES:
        raise IQError(f"{path}: has more than {MAX_META_BYTES} bytes, which no metadata of ours have")
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise IQError(f"{path}: is not JSON ({error})") from error
    described = whole.get("global") if isinstance(whole, dict) else None
    if not isinstance(described, dict):
        raise IQError(f"{path}: must have an object 'global'")
    _check_global(path, described)
    own = described.pop(OWN + "sha256", None)
    is_ours = own is not None or described.get("core:recorder") == RECORDER
    if is_ours and own != digest_of(whole):
        raise IQError(f"{path}: its SHA-256 is not that of what it says, it was changed after it was recorded")
    annotations = whole.get("annotations", [])
    if not isinstance(annotations, list) or len(annotations) > MAX_ANNOTATIONS or not all(_is_annotation(each) for each in annotations):
        raise IQError(f"{path}: annotations must be at most {MAX_ANNOTATIONS} objects with a core:sample_start from 0")
    captures = whole.get("captures")
    if not isinstance(captures, list) or len(captures) > 1:
        raise IQError(f"{path}: captures must be a list of one; recordings with gaps are not read")
    return described, annotations


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 of metadata without their own digest, however their JSON is written."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_global(path: Path, described: dict[str, Any]) -> None:
    kind, rate, antennas = (described.get(f"core:{name}") for name in ("datatype", "sample_rate", "num_channels"))
    if not isinstance(kind, str) or kind not in SAMPLE_BYTES:
        raise IQError(f"{path}: core:datatype must be one of {', '.join(SAMPLE_BYTES)}, got {str(kind)[:40]!r}")
    if not _is_number(rate):
        raise IQError(f"{path}: core:sample_rate must be a number, got {str(rate)[:40]!r}")
    if antennas is not None and type(antennas) is not int:
        raise IQError(f"{path}: core:num_channels must be an integer, got {str(antennas)[:40]!r}")
    try:
        check_stream(rate, 1 if antennas is None else antennas)  # type: ignore[arg-type]
    except ValueError as error:
        raise IQError(f"{path}: {error}") from error
    digest = described.get("core:sha512")
    if not isinstance(digest, str) or len(digest) != 128:
        raise IQError(f"{path}: core:sha512 must be there, or nothing vouches for the samples")
    for name in ("core:dataset", "core:trailing_bytes", "core:metadata_only", "core:offset"):
        if described.get(name):
            raise IQError(f"{path}: {name} is not supported, got {str(described[name])[:40]!r}")


def _is_annotation(value: Any) -> bool:
    return isinstance(value, dict) and all(
        type(number) is int and 0 <= number < 2**63 for number in (value.get("core:sample_start"), value.get("core:sample_count", 0))
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value)
