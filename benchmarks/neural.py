"""How fast networks train, against a loop as Lightning runs one, on the same data for the same epochs; and what zeros save: `make bench`.

The loop draws batches from a DataLoader over a TensorDataset, runs torch's complex layers with the activation by modulus and angle, Adam
as it comes, logs metrics every step and validates every epoch. Data: EfficientNet-Lite0 → Lite2 on Fashion-MNIST where it is, else latents
of the same size at random.
"""

import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import latentlink as ll
from latentlink.data.datasets.images import DatasetNotFound
from latentlink.data.pairs import device_pair
from record import record

EPOCHS, BATCH, ANTENNAS = 5, 512, 8
console = Console()


@dataclass(frozen=True)
class Trained:
    seconds: float  # per epoch
    accuracy: float


def latents():
    """Pilots, test latents and what they are."""
    try:
        pair = device_pair("fashion-mnist", "efficientnet-lite0", "efficientnet-lite2", pilots=12_000, test=4_000)
        return pair.pilots, pair.test, f"{pair.transmitter} → {pair.receiver}, {pair.dataset}"
    except (DatasetNotFound, ImportError):
        generator = torch.Generator().manual_seed(0)
        labels = torch.randint(10, (16_000,), generator=generator)
        x = torch.randn(10, 1280, generator=generator)[labels] + torch.randn(16_000, 1280, generator=generator)
        y = x @ torch.randn(1280, 1280, generator=generator) / 1280**0.5
        return ll.Pilots(x[:12_000], y[:12_000], labels[:12_000]), ll.Pilots(x[12_000:], y[12_000:], labels[12_000:]), "random latents"


class ModulusGelu(nn.Module):
    def forward(self, z):
        return nn.functional.gelu(z.abs()) * torch.exp(1j * z.angle())


class LoopModule(nn.Module):
    """The paper's pair as a module with the hooks of a training loop."""

    def __init__(self, d, m, channel):
        super().__init__()
        self.precoder = nn.Sequential(
            nn.Linear(d // 2, d, dtype=torch.complex64), ModulusGelu(), nn.Linear(d, channel.n_tx, dtype=torch.complex64)
        )
        self.decoder = nn.Sequential(
            nn.Linear(channel.n_rx, m, dtype=torch.complex64), ModulusGelu(), nn.Linear(m, m // 2, dtype=torch.complex64)
        )
        self.h, self.deviation = channel.h[0].to(torch.complex64), float(channel.noise_variance) ** 0.5
        self.logged = {}

    def forward(self, x):
        s = nn.functional.normalize(self.precoder(torch.complex(*x.chunk(2, -1))), dim=-1)
        r = s @ self.h.mT
        out = self.decoder(r + self.deviation * torch.randn_like(r))
        return torch.cat([out.real, out.imag], -1)

    def log(self, name, value):
        self.logged.setdefault(name, []).append(value.item())

    def training_step(self, batch):
        x, y = batch
        loss = nn.functional.mse_loss(self(x), y)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch):
        x, y = batch
        self.log("valid/loss", nn.functional.mse_loss(self(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def looped(pilots, test, channel, head):
    """Train as a Lightning-style loop does."""
    torch.manual_seed(0)
    mean_x, mean_y = pilots.x.mean(0), pilots.y.mean(0)
    scale_x, scale_y = (pilots.x - mean_x).square().mean().sqrt(), (pilots.y - mean_y).square().mean().sqrt()
    x, y = (pilots.x - mean_x) / scale_x, (pilots.y - mean_y) / scale_y
    held = len(x) // 10
    module = LoopModule(x.shape[1], y.shape[1], channel)
    optimizer = module.configure_optimizers()
    train = DataLoader(TensorDataset(x[held:], y[held:]), batch_size=BATCH, shuffle=True)
    valid = DataLoader(TensorDataset(x[:held], y[:held]), batch_size=BATCH)
    start = time.perf_counter()
    for _ in range(EPOCHS):
        module.train()
        for batch in train:
            optimizer.zero_grad()
            loss = module.training_step(batch)
            loss.backward()
            optimizer.step()
        module.eval()
        with torch.no_grad():
            for batch in valid:
                module.validation_step(batch)
    seconds = (time.perf_counter() - start) / EPOCHS
    with torch.no_grad():
        y_hat = torch.cat([module(part) for part in ((test.x - mean_x) / scale_x).split(BATCH)]) * scale_y + mean_y
    return Trained(seconds, ll.metrics.accuracy(head, y_hat, test.labels).overall.value)


def ours(pilots, test, channel, head, precision):
    design = ll.Neural(epochs=EPOCHS, batch_size=BATCH, patience=EPOCHS, precision=precision)
    start = time.perf_counter()
    link = design.design(pilots, channel).transceiver
    seconds = (time.perf_counter() - start) / EPOCHS
    seen = ll.evaluate(link, test.x, test.y, channel=channel, head=head, labels=test.labels, generator=torch.Generator().manual_seed(0))
    assert seen.accuracy is not None
    return Trained(seconds, float(seen.accuracy))


def show_training(pilots, test, channel, head, what):
    table = Table(title=f"{EPOCHS} epochs, {len(pilots):,} pilots, 8×8, {what}, {torch.get_num_threads()} threads", title_justify="left")
    for name in ("training", "s an epoch", "times faster", "accuracy"):
        table.add_column(name, justify="left" if name == "training" else "right")
    loop = looped(pilots, test, channel, head)
    table.add_row("Lightning-style loop over a DataLoader", f"{loop.seconds:.2f}", "1", f"{loop.accuracy:.3f}")
    faster = {}
    for precision in ("float32", "auto"):
        mine = ours(pilots, test, channel, head, precision)
        faster[precision] = f"{loop.seconds / mine.seconds:.1f}"
        table.add_row(f"ll.Neural, {precision}", f"{mine.seconds:.2f}", faster[precision], f"{mine.accuracy:.3f}")
    console.print(table)
    console.print(
        f"auto takes bfloat16 products where the hardware has them: {faster['auto']} × needs them, float32 gives {faster['float32']} ×"
    )
    record("training", table)


def show_forms(pilots, test, channel):
    """Latency of the dense, compacted and sparse form as fewer weights are left."""
    table = Table(title="what zeros save: µs a message (encode + decode), one thread", title_justify="left")
    for name in ("weights left", "operations", "dense, 1", "compacted, 1", "sparse, 1", "dense, 256", "compacted, 256", "sparse, 256"):
        table.add_column(name, justify="right")
    for share in (1.0, 0.3, 0.1, 0.03, 0.01):
        dense = ll.Neural(epochs=2, budget=ll.budget.Weights(share)).design(pilots[:2_000], channel).transceiver
        forms = (dense, dense.compacted(), dense.compacted().as_sparse())
        times = [ll.metrics.latency(form, test.x, channel, batch=batch) for batch in (1, 256) for form in forms]
        us = [seen.encode_us + seen.decode_us for seen in times]
        cells = [f"{'[bold]' if value in (min(us[:3]), min(us[3:])) else ''}{value:.0f}" for value in us]
        table.add_row(f"{dense.density:.1%}", f"{dense.flops.total:.2g}", *cells)
    console.print(table)
    record("zeros", table, threads=1)  # latencies are measured on one


def main():
    pilots, test, what = latents()
    head = ll.fit_head(pilots.y, pilots.labels)
    channel = ll.Channel.from_snr(ll.rayleigh(ANTENNAS, ANTENNAS, 0.5, generator=torch.Generator().manual_seed(0)), 20.0)
    show_training(pilots, test, channel, head, what)
    show_forms(pilots, test, channel)


if __name__ == "__main__":
    main()
