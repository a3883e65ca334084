"""What the wheel must be able to do in an environment that has the core and one extra: `python smoke_extras.py EXTRA`.

`.ci/package --extras` runs it there. Each function uses what its extra is for, by public names and commands only.
"""

import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.metadata import metadata
from pathlib import Path

import numpy as np
import torch

import latentlink as ll

FOLDER = Path(tempfile.mkdtemp())
DRAWN = torch.Generator().manual_seed(0)
X = torch.randn(300, 8, generator=DRAWN)
Y = X[:, :6].tanh()
STUDY = """
name: smoke
data: {dataset: files, folder: latents}
channel: {antennas: 2}
snr: {snr_db: 10}
methods: [{name: closed-form}]
seeds: 1
"""


def command(*words: str) -> None:
    """Run a command of latentlink in the folder."""
    subprocess.run([sys.executable, "-m", "latentlink", *words], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)


def files() -> None:
    """Latents and a study of them."""
    folder = FOLDER / "latents"
    folder.mkdir()
    labels = (X[:, 0] > 0).long().numpy()
    for part, rows in (("train", slice(0, 200)), ("test", slice(200, None))):
        np.save(folder / f"{part}-transmitter.npy", X[rows].numpy())
        np.save(folder / f"{part}-receiver.npy", Y[rows].numpy())
        np.save(folder / f"{part}-labels.npy", labels[rows])
    (FOLDER / "smoke.yaml").write_text(STUDY)


def lab() -> None:
    files()
    names = [f"latents/train-{end}.npy" for end in ("transmitter", "receiver", "labels")]
    command("fit", *names, "--n-tx", "2", "--n-rx", "2", "--output", "fitted")
    command("inspect", "fitted/link.safetensors")
    command("study", "run", "smoke.yaml")
    command("study", "report", "smoke.yaml")
    if not (FOLDER / "results" / "smoke" / "report.html").stat().st_size:
        sys.exit("the report is empty")


def plot() -> None:
    pyplot = import_module("matplotlib.pyplot")
    axes = pyplot.figure().add_subplot()
    axes.plot(ll.semantic_modes(ll.Moments.from_pairs(X, Y)).strength.numpy())
    axes.figure.savefig(FOLDER / "modes.png")


def report() -> None:
    ll.data.write_array(FOLDER / "x.parquet", X)
    assert torch.equal(ll.read_latents(FOLDER / "x.parquet"), X)


def evaluation() -> None:
    assert len(ll.data.device_pair("digits").pilots) > 1000
    assert len(ll.PilotSelection(10, grouping="cluster", clusters=2).choose(ll.Pilots(X, Y))) == 20


def hdf5() -> None:
    h5py, scipy_io = import_module("h5py"), import_module("scipy.io")
    with h5py.File(FOLDER / "x.h5", "w") as file:
        file["x"] = X.numpy()
    scipy_io.savemat(FOLDER / "x.mat", {"x": X.numpy()})
    assert torch.equal(ll.read_latents(FOLDER / "x.h5"), X)
    assert torch.equal(ll.read_latents(FOLDER / "x.mat"), X)


def huggingface() -> None:
    frame = import_module("datasets").Dataset.from_dict({"embedding": X.tolist()})
    assert torch.allclose(ll.read_latents(frame).float(), X)


def encoders() -> None:
    encode = ll.data.encoder("efficientnet-lite0")
    assert encode(torch.zeros(2, 28, 28, dtype=torch.uint8)).shape == (2, encode.dim)


def demo() -> None:
    command("demo", "--quick", "data.dataset=digits")
    if not (FOLDER / "demo" / "accuracy.png").stat().st_size:
        sys.exit("the figure is empty")


def cluster() -> None:
    files()
    command("study", "run", "smoke.yaml", "--cluster", "1")


def radio() -> None:
    assert import_module("latentlink_runtime.iq.zeromq").ZmqSource.__doc__
    assert import_module("zmq").has("curve")


def onnx() -> None:
    assert import_module("latentlink.deploy.onnx").export_onnx.__doc__
    assert import_module("onnxruntime").InferenceSession


def timm() -> None:
    """Weights are downloaded at first use, so a model with random ones stands in."""
    import_module("torchvision")
    assert import_module("timm").create_model("vit_tiny_patch16_224", num_classes=0)(torch.zeros(1, 3, 224, 224)).shape == (1, 192)


def text() -> None:
    latents = ll.data.encoder("wordllama")(["a cat", "a kitten", "the stock market"])
    cat, kitten, market = torch.nn.functional.normalize(latents, dim=1)
    assert cat @ kitten > cat @ market


def tensorboard() -> None:
    writer = import_module("torch.utils.tensorboard").SummaryWriter(str(FOLDER / "logs"))
    writer.add_scalar("score", 1.0)
    writer.close()
    assert list((FOLDER / "logs").iterdir())


def standard() -> None:
    assert ll.tr38901.generate("CDL-C", 2, 2, batch=3, cache=False).shape[0] == 3


def digital() -> None:
    design = ll.digital.Digital(adaptation=ll.digital.Genie())
    code = design.code(ll.semantic_modes(ll.Moments.from_pairs(X, Y)), ll.Pilots(X, Y))
    channel = ll.Channel.from_snr(ll.rayleigh(1, 1, generator=0), snr_db=10.0)
    assert ll.transmit(design.design(code, channel).transceiver, X[:5], channel, generator=0).shape == (5, 6)


def docs() -> None:
    for name in ("sphinx", "myst_parser", "pydata_sphinx_theme", "sphinx_gallery", "sphinxcontrib.bibtex", "sphinx_design", "jupytext"):
        import_module(name)


TRIED = {
    "lab": lab, "plot": plot, "report": report, "eval": evaluation, "hdf5": hdf5, "huggingface": huggingface, "encoders": encoders,
    "demo": demo, "cluster": cluster, "radio": radio, "onnx": onnx, "timm": timm, "text": text, "tensorboard": tensorboard,
    "3gpp": standard, "digital": digital, "docs": docs,
}  # fmt: skip

if __name__ == "__main__":
    declared = set(metadata("latentlink").get_all("Provides-Extra") or []) - {"dev"}
    if declared != set(TRIED):
        sys.exit(f"smoke_extras.py must try all extras: {sorted(declared ^ set(TRIED))}")
    if "site-packages" not in Path(ll.__file__).parts:
        sys.exit(f"{ll.__file__} is the source, not the installed package: run this by the environment that has it")
    TRIED[sys.argv[1]]()
    print(f"latentlink[{sys.argv[1]}]: tried")
