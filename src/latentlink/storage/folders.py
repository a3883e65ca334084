"""Where what was computed once is kept on this machine."""

import os
from pathlib import Path

from platformdirs import user_cache_path

CACHE_VARIABLE = "LATENTLINK_CACHE"


def cache_folder() -> Path:
    """Where latents, heads, codecs and channels are kept: what LATENTLINK_CACHE says in the environment, else the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("latentlink")
