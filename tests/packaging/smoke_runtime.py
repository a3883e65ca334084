"""What the runtime's wheel must be able to do where there is neither torch nor latentlink; `.ci/package` runs it there."""

import sys
from importlib.util import find_spec
from pathlib import Path

import latentlink_runtime as lr
from latentlink_runtime.conformance import TOLERANCE, cases, differences

KIT = Path(__file__).parents[2] / "runtime" / "conformance"

for absent in ("torch", "latentlink", "jaxtyping", "scipy"):
    if find_spec(absent) is not None:
        sys.exit(f"the runtime's environment has {absent}")
if "site-packages" not in Path(lr.__file__).parts:
    sys.exit(f"{lr.__file__} is the source, not the installed package: run this by the environment that has it")
head, count = lr.load(KIT / "head.safetensors"), 0
for case in cases(KIT):
    found = differences(case, head=head)
    if max(found.values()) > TOLERANCE:
        sys.exit(f"{case.name} differs: {found}")
    count += 1
print(f"latentlink-runtime {lr.__version__}: {count} cases of the conformance kit, without torch")
