"""Studies: experiments that are files, run cell by cell into result files from which every table and figure is made.

Read `sections` (what a study file says), `spec/` (from a file to cells), `methods/` (what a name designs), `seeding`,
`channels` and `shared` (what is measured on), `running/` (from a cell to its rows), `rows` (the columns of a row),
`result_files`, `averages` and `experiments` (all of it from Python).
"""

import lazy_loader

from latentlink.numerics.extras import require_extra

require_extra("lab", "Studies", "polars", "pydantic", "yaml", "joblib")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
