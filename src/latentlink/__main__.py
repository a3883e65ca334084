"""The console script: `latentlink`, or `python -m latentlink`. Without the extra `lab` it says so, in one sentence."""

import sys

from latentlink.numerics.extras import MissingExtra, require_extra


def main() -> None:
    """Run the command line; exit status 2 if the packages that it needs are not installed, 130 if interrupted."""
    try:
        require_extra("lab", "The commands of latentlink", "cyclopts", "rich", "polars", "pydantic", "yaml")
    except MissingExtra as missing:
        sys.stderr.write(f"{missing}\n")
        sys.exit(2)
    try:
        from latentlink.cli import main as run_command_line

        run_command_line()
    except KeyboardInterrupt:  # while packages are imported, before commands look after it themselves
        sys.stderr.write("interrupted before anything was done\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
