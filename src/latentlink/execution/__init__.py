"""Work that is done several items at a time: in threads of this process, or by the workers of a Dask cluster.

Read `executor` (what both have, and results in order), `agenda` (which item is next), `local` (threads), `at_worker` (what runs in the
process of a worker), `cluster` (a Dask cluster) and `connecting` (from an address or a number of workers to a cluster).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
