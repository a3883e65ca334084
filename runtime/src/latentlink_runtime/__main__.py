"""`python -m latentlink_runtime keys | tx | rx | air | replay | view`, with one BLAS thread."""

import os
import sys

from latentlink_runtime.serve.commands import main
from latentlink_runtime.serve.processes import environment_of_one_thread

if __name__ == "__main__":
    environment = environment_of_one_thread(os.environ)
    if environment is not None:  # NumPy was imported with the package already, and its BLAS has read the environment
        os.execve(sys.executable, [sys.executable, "-m", "latentlink_runtime", *sys.argv[1:]], environment)
    sys.exit(main(program=os.environ.get("LATENTLINK_PROGRAM", "latentlink_runtime")))
