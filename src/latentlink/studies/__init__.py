"""Studies: experiments that are files, run cell by cell into result files from which every table and figure is made.

Read `sections` (what a study file says), `places` (files that it names), `spec/` (from a file to cells), `methods/` (what a name designs),
`seeding`, `channels`, `channel_files`, `latent_files`, `thread_safe_cache`, `shared` and `network_data` (what is measured on), `running/`
(from a cell to its rows), `rows` (the columns of a row), `dictionary` (what they hold), `result_files`, `averages` and `experiments` (all
of it from Python).
"""

from typing import Any

import lazy_loader

from latentlink.numerics.extras import MissingExtra, require_extra

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a public name; an AttributeError, as `hasattr` and `help` need it, where the extra `lab` is not installed."""
    try:
        require_extra("lab", "Studies", "polars", "pydantic", "yaml")
    except MissingExtra as missing:
        raise AttributeError(str(missing)) from missing
    return _load(name)
