"""The folder of this machine in which results that are computed once are cached."""

import os
import sys
from pathlib import Path

CACHE_VARIABLE = "LATENTLINK_CACHE"


def cache_folder() -> Path:
    """Return the cache of latents, heads, codecs and channels: LATENTLINK_CACHE in the environment, else the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if sys.platform == "win32":
        user = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        user = Path.home() / "Library" / "Caches"
    return user / "latentlink"
