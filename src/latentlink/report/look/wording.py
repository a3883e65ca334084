"""Settings in words, as panels, labels, headings and file names say them."""

from typing import Any

Panel = tuple[tuple[str, Any], ...]

_ABSENT = {
    "pilots_per_class": "whole training set as pilots",
    "snr_reference": "SNR reference unknown",
    "feedback_bits": "feedback not quantised",
    "clipping_db": "not clipped",
}
_SILENT = ("placement", "polarisation", "pattern", "normalisation", "csi", "estimator", "subcarriers", "slots", "pilot_spacing",
           "carrier_ghz", "delay_spread_ns", "speed_kmh", "spacing_khz", "pilot_snr_db", "delay_ms")  # fmt: skip
_NAMES = {
    "snr_reference": {"transmit": "SNR per transmit antenna", "receive": "SNR per receive antenna"},
    "channel_model": {"umi": "UMi", "uma": "UMa", "rma": "RMa", "inh": "InH"},
    "placement": {"contiguous": "neighbouring subcarriers", "frequency": "spread over the band", "slots": "spread over the slots"},
    "pattern": {"omni": "omnidirectional elements", "38.901": "38.901 elements"},
    "normalisation": {"mean": "mean gain held", "each": "gain of each channel held", "path-loss": "with path loss"},
    "csi": {
        "perfect": "perfect CSI",
        "both-ends": "one estimate at both ends",
        "transmitter": "estimated CSI at the transmitter",
        "transmitter-only": "CSI at the transmitter only",
        "receiver-only": "CSI at the receiver only",
        "none": "CSI at neither end",
    },
}
_PHRASES = {
    "pilots_per_class": "{} pilots per class",
    "snr_db": "{} dB",
    "antennas": "{} antennas",
    "n_tx": "{} transmit antennas",
    "n_rx": "{} receive antennas",
    "uses": "{} channel uses",
    "gain": "channel gain {}",
    "k_factor": "K-factor {}",
    "train": "pilots among {}",
    "image_size_px": "images of {} px",
    "transmitter": "from {}",
    "receiver": "to {}",
    "grouping": "grouped by {}",
    "selection": "{} pilots",
    "polarisation": "{} polarisation",
    "estimator": "{} estimate",
    "subcarriers": "{} subcarriers",
    "slots": "{} slots",
    "pilot_spacing": "a pilot every {} subcarriers",
    "feedback_bits": "{} feedback bits an angle",
    "carrier_ghz": "{} GHz",
    "delay_spread_ns": "delay spread {} ns",
    "speed_kmh": "{} km/h",
    "spacing_khz": "subcarriers {} kHz apart",
    "pilot_snr_db": "channel pilots at {} dB",
    "delay_ms": "estimate {} ms old",
    "clipping_db": "clipped at {} dB",
}
_ONE = {"uses": "1 channel use", "slots": "1 slot", "feedback_bits": "1 feedback bit an angle", "delay_ms": "estimate 1 ms old",
        "pilot_spacing": "a pilot on every subcarrier"}  # fmt: skip


def described(name: str, value: Any) -> str:
    """A setting in words; empty for one that does not apply, as an estimator where CSI is perfect."""
    if value is None:
        return _ABSENT.get(name, "" if name in _SILENT else f"{name} unknown")
    number = f"{value:g}" if isinstance(value, float) else str(value)
    if name in _NAMES and number in _NAMES[name]:
        return _NAMES[name][number]
    if name == "channel_model" and number.startswith(("tdl-", "cdl-")):
        return number.upper()
    if number == "1" and name in _ONE:
        return _ONE[name]
    if name.endswith("_db"):
        number = number.replace("-", "−")
    if name == "estimator":
        number = number.upper()
    return _PHRASES.get(name, "{}").format(number)


def panel_title(panel: Panel) -> str:
    """A panel's settings in words; empty where there is but one panel."""
    return ", ".join(filter(None, (described(name, value) for name, value in panel)))
