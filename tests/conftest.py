import os

# One thread of each kind, for this process and those that tests start: on small matrices and tables, more wait for each other and burn
# processor time meanwhile. Libraries read it when they are imported.
os.environ |= {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}

import gc
import pickle
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

import scheduling
import sharing
from processes import IMPORTS, Forge

torch.set_num_threads(1)
os.fsync = lambda file: None  # no test outlives a power cut, and thousands of files wait for the disk
settings.register_profile("laws", deadline=None, derandomize=True, database=None, max_examples=12)
settings.load_profile("laws")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, in the same order at all workers."""
    items.sort(key=lambda item: scheduling.place(item.nodeid))


def pytest_collection_finish() -> None:
    """What has been imported stays: the collector of garbage need not look through it again and again, nor as often as by default."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # 4 % of the time of all tests


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> scheduling.ByUnit | None:
    """Files are distributed in the order in which they were collected, some of them together."""
    if config.option.dist != "loadfile":
        return None
    config.option.loadscopereorder = False
    return scheduling.ByUnit(config, log)


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
def digits_forge(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """The forge with the small encoders of digits, which a process trains once: here they are those of all tests."""
    from data.digits_pair import trained_pair  # not before jaxtyping watches imports, where it is asked to

    path = tmp_path_factory.mktemp("digits") / "encoders.pickle"
    path.write_bytes(pickle.dumps(trained_pair()))
    forge.prepare(f"""
import pickle
from latentlink.data import pairs
with open({str(path)!r}, "rb") as file:
    trained = pickle.load(file)
pairs._digit_encoders = lambda: trained
""")
    return forge
