"""The folder of this machine in which results that are computed once are cached."""

import os
import sys
from pathlib import Path

CACHE_VARIABLE = "LATENTLINK_CACHE"


def cache_folder() -> Path:
    """Return the cache of latents, heads, codecs and channels: LATENTLINK_CACHE in the environment, else the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else _user_cache() / "latentlink"


def _user_cache() -> Path:
    """The user's cache folder by the convention of the operating system."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
