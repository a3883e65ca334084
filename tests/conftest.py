from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from processes import IMPORTS, Forge

torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
settings.register_profile("laws", deadline=None, derandomize=True, database=None, max_examples=12)
settings.load_profile("laws")


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """Runs commands in forks of a process that has imported the package."""
    started = Forge(IMPORTS)
    yield started
    started.close()
