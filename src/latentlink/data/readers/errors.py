"""The error of a file that exists and cannot be used."""


class FileContentError(ValueError):
    """A file exists and cannot be used; the message names the file, what came and what was expected."""
