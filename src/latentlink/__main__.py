"""`python -m latentlink` is `latentlink`."""

from latentlink.cli import main

main()
