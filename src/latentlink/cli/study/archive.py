"""`latentlink study archive`: the rows of studies as one file."""

from pathlib import Path

from latentlink.cli.console import out, wrote
from latentlink.studies.archive import write_archive


def archive(folder: Path, path: Path) -> None:
    """Write the rows of studies into one archive, and print its SHA-256; the same rows give the same archive.

    Parameters
    ----------
    folder
        Folder of the rows, NAME.parquet, as `latentlink study keep` writes them.
    path
        The archive to write, a .tar file.
    """
    digest = write_archive(folder, path)
    wrote(path)
    out.print(f"SHA-256 {digest}", highlight=False, markup=False, soft_wrap=True)
