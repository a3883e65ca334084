"""What a wheel must be able to do in an environment that has nothing but the core; `.ci/package` runs it there."""

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

import latentlink as ll

if "site-packages" not in Path(ll.__file__).parts:
    sys.exit(f"{ll.__file__} is the source, not the installed package: run this by the environment that has it")
if ll.__version__ != version("latentlink"):
    sys.exit(f"latentlink.__version__ is {ll.__version__}, the installed distribution {version('latentlink')}")

generator = torch.Generator().manual_seed(0)
cause = torch.randn(500, 4, generator=generator)
x = cause @ torch.randn(4, 12, generator=generator) + 0.05 * torch.randn(500, 12, generator=generator)
y = cause @ torch.randn(4, 8, generator=generator) + 0.05 * torch.randn(500, 8, generator=generator)
modes = ll.semantic_modes(ll.Moments.from_pairs(x, y))
channel = ll.Channel.from_snr(ll.rayleigh(2, 2, batch=(5,), generator=generator), snr_db=30.0)
solution = ll.ClosedForm().design(modes, channel)
error = ll.metrics.nmse(ll.transmit(solution.transceiver, x, channel, generator=generator), y)
if not float(torch.as_tensor(error).max()) < 0.2:
    sys.exit(f"the NMSE over 2×2 channels at 30 dB must be below 0.2, got {error}")
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "link.safetensors"
    solution.transceiver.save(path)
    if not torch.equal(ll.load(path).encode(x[:3].double()), solution.transceiver.encode(x[:3].double())):
        sys.exit("a loaded link must send what the saved one sends")
print(f"latentlink {ll.__version__}: designed, sent, saved and loaded")
