import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

import sharing
from processes import IMPORTS, Forge

torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
settings.register_profile("laws", deadline=None, derandomize=True, database=None, max_examples=12)
settings.load_profile("laws")


@pytest.fixture(scope="session", autouse=True)
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lets the workers of a test run share what takes long to make."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        sharing.folder = tmp_path_factory.getbasetemp().parent


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """Runs commands in forks of a process that has imported the package."""
    started = Forge(IMPORTS)
    yield started
    started.close()


@pytest.fixture(scope="session")
def digits_forge(forge: Forge) -> Forge:
    """The forge after it has trained the small encoders of digits, which a process does once."""
    forge.prepare("from latentlink.data.pairs import _digit_encoders; _digit_encoders()")
    return forge
