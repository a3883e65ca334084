"""Consoles that cannot show every sign: what is printed to them is spelled with those that they have, instead of ending the command.

Windows' consoles and pipes often are in cp1252, and minimal containers in ASCII.
"""

import codecs
import sys

_SPELLED = {
    "→": "->", "←": "<-", "×": "x", "·": ".", "…": "...", "–": "-", "—": "-", "−": "-", "≤": "<=", "≥": ">=", "≈": "~", "±": "+-",
    "∞": "inf", "√": "sqrt", "Σ": "sum", "σ": "sigma", "μ": "mu", "µ": "u", "λ": "lambda", "ζ": "zeta", "Ψ": "Psi", "Φ": "Phi",
    "α": "alpha", "τ": "tau", "²": "^2", "³": "^3", "✓": "ok", "ŷ": "y^", "“": '"', "”": '"', "‘": "'", "’": "'", "─": "-", "│": "|",
}  # fmt: skip
_NAME = "latentlink.spelled"


def spell_what_consoles_lack() -> None:
    """Let standard output and error spell the signs that their encoding lacks."""
    codecs.register_error(_NAME, _spell)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_NAME)


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Spell the signs that cannot be encoded: by the table, else by their number, which loses nothing of a name."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_SPELLED.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end
