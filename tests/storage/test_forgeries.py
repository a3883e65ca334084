"""A file whose digest is right and whose content is not is refused, or is what its content says, in use and saved again."""

import zlib

import pytest

from storage.forgeries import KINDS, accepted, forgeries

pytestmark = pytest.mark.filterwarnings("ignore")
SHARE = 25  # of the forgeries, one is tried in the suite


def findings(kind, path, share):
    wrong = []
    for what, write in forgeries(kind, path):
        if zlib.crc32(what.encode()) % share == 0:
            write()
            wrong += [f"{what}: {fault}" for fault in [accepted(path)] if fault]
    return wrong


@pytest.mark.parametrize("kind", KINDS)
def test_forgeries_are_refused(tmp_path, kind):
    assert not findings(kind, tmp_path / "forged.safetensors", SHARE)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
def test_all_forgeries_are_refused(tmp_path, kind):
    assert not findings(kind, tmp_path / "forged.safetensors", 1)
