"""A link as PyTorch modules: own encoders and decoders train end to end through transmitter, channel and receiver.

    x  →  own encoder  →  Precoder  →  s  →  ChannelLayer  →  r = H s + v  →  Decoder  →  own decoder  →  loss

The modules run any transceiver that is differentiable, linear links and codecs among them. Its tensors are buffers of the modules, so that
`state_dict`, `.to(...)`, `.double()`, copies and pickles have them; gradients pass to what goes in. Complex tensors are kept as pairs of
real numbers (a last dimension of 2), which every conversion of a module leaves intact. `torch.compile` compiles the networks around a link
and calls the link as it is: compilers generate no code for complex numbers, and the checks of a link look at values.
"""

import copy
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from latentlink.channels.channel import Channel
from latentlink.links.shapes import check_channel
from latentlink.links.transceiver import Transceiver
from latentlink.numerics.doors import as_generator
from latentlink.numerics.parts import from_parts, named_tensors, parts_of
from latentlink.numerics.reprs import Summarised
from latentlink.numerics.validation import validate_call


class _End(Summarised, nn.Module):
    """One end of a link, whose tensors it holds."""

    def __init__(self, transceiver: Transceiver, *, trainable: bool = False) -> None:
        super().__init__()
        self.link = TensorHolder(transceiver, trainable)

    def _facts(self) -> dict[str, str]:
        return {"link": repr(self.link.value())}

    def _differentiable(self, result: Tensor, argument: Tensor) -> Tensor:
        if torch.is_grad_enabled() and argument.requires_grad and not result.requires_grad:
            name = self.link.kind.__name__
            raise ValueError(f"transceiver must pass gradients, which {name} does not: take a linear link or a codec")
        return result


class Precoder(_End):
    """The transmitter of a link as a module: latents (…, n, d) to channel symbols (…, n, u, n_tx).

    The power budget holds for latents with the moments that the link was designed for; an encoder that is trained in front of it may
    leave them. A link with `power.PerMessage()` keeps the budget for every latent.

    Args:
        transceiver: the link.
        trainable: True makes its real and complex tensors parameters, those of its channel excepted; the power is then up to the
            training.

    Raises:
        ValueError: transceiver is not a Transceiver; in `forward`, the latents do not fit, or gradients do not pass through this kind of
            link.

    Example:
        An encoder of 3 numbers to the 6 latents that a link expects, trained for the latents that arrive:

        >>> import torch, latentlink as ll
        >>> source = torch.Generator().manual_seed(0)
        >>> x = torch.randn(200, 6, generator=source)
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x @ torch.randn(6, 4, generator=source)))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=source), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver.to(torch.float32)
        >>> encoder = torch.nn.Linear(3, 6)
        >>> chain = torch.nn.Sequential(encoder, ll.nn.Precoder(link), ll.nn.ChannelLayer(channel, seed=0), ll.nn.Decoder(link))
        >>> raw, wanted = torch.randn(64, 3, generator=source), torch.randn(64, 4, generator=source)
        >>> adam, losses = torch.optim.Adam(encoder.parameters(), 0.05), []
        >>> for _ in range(20):
        ...     loss = (chain(raw) - wanted).square().mean()
        ...     adam.zero_grad()
        ...     loss.backward()
        ...     adam.step()
        ...     losses.append(loss.item())
        >>> losses[-1] < losses[0]
        True
    """

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @validate_call
    def forward(self, x: Float[Tensor, "*#batch n d"]) -> Complex[Tensor, "*batch n u t"]:
        """Channel symbols of latents x."""
        return self._differentiable(self.link.value().encode(x), x)


class Decoder(_End):
    """The receiver of a link as a module: received symbols (…, n, u, n_rx) to latents (…, n, m).

    Args:
        transceiver: the link.
        trainable: True makes its real and complex tensors parameters, those of its channel excepted.

    Raises:
        ValueError: transceiver is not a Transceiver; in `forward`, the symbols do not fit, or gradients do not pass through this kind of
            link.

    Example:
        >>> import torch, latentlink as ll
        >>> x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        >>> modes = ll.semantic_modes(ll.Moments.from_pairs(x, x[:, :6].tanh()))
        >>> channel = ll.Channel.from_snr(ll.rayleigh(2, 2, generator=0), snr_db=20.0)
        >>> link = ll.ClosedForm().design(modes, channel).transceiver
        >>> receiver = ll.nn.Decoder(link, trainable=True)
        >>> receiver(channel.apply(link.encode(x), generator=0)).shape, sum(part.numel() for part in receiver.parameters()) > 0
        (torch.Size([500, 6]), True)
    """

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @validate_call
    def forward(self, r: Complex[Tensor, "*#batch n u r"]) -> Float[Tensor, "*batch n m"]:
        """Latents of received symbols r."""
        return self._differentiable(self.link.value().decode(r), r)


class ChannelLayer(Summarised, nn.Module):
    """A channel as a module: symbols (…, n, u, n_tx) to received symbols H s + v (…, n, u, n_rx), with fresh noise in every call.

    Args:
        channel: the channels that messages really pass.
        seed: seed of the noise, or a `torch.Generator` on the device; None is PyTorch's global generator.

    Raises:
        ValueError: channel or seed is of another type; in `forward`, the symbols do not fit.

    Example:
        >>> import torch, latentlink as ll
        >>> layer = ll.nn.ChannelLayer(ll.Channel.from_snr(ll.rayleigh(4, 2, generator=0), snr_db=20.0), seed=0)
        >>> layer(torch.ones(50, 1, 2, dtype=torch.complex64)).shape
        torch.Size([50, 1, 4])
    """

    def __init__(self, channel: Channel, *, seed: int | torch.Generator | None = None) -> None:
        super().__init__()
        check_channel(channel, coloured=True)
        self.channel = TensorHolder(channel)
        self.source = as_generator(seed, "noise", None if isinstance(seed, torch.Generator) else channel.h.device, "seed")

    def _facts(self) -> dict[str, str]:
        return {"channel": repr(self.channel.value())}

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @validate_call
    def forward(self, s: Complex[Tensor, "*#batch n u t"]) -> Complex[Tensor, "*batch n u r"]:
        """Received symbols."""
        channel: Channel = self.channel.value()
        return channel.apply(s, self.source)

    def _apply(self, fn: Any, recurse: bool = True) -> "ChannelLayer":
        """Convert the tensors; on another device the noise comes from a generator there, which is seeded by the one before."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        device = next(self.buffers()).device
        if self.source is not None and self.source.device.type != device.type:
            self.source = torch.Generator(device).manual_seed(self.source.initial_seed())
        return self

    def __getstate__(self) -> dict[str, Any]:
        """The state to copy and pickle: generators can be neither, their states can."""
        source = None if self.source is None else (str(self.source.device), self.source.get_state())
        return {**self.__dict__, "source": source}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state of `__getstate__`."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        if state["source"] is not None:
            device, numbers = state["source"]
            self.source = torch.Generator(device)
            self.source.set_state(numbers)


class TensorHolder(nn.Module):
    """The tensors of a frozen object as buffers or parameters, and the object put together from them as they are.

    Dataclasses, tuples, lists, dicts and modules inside the object are held likewise; everything else is kept as it is.

    Args:
        whole: the object; one that is no dataclass is held by its attributes.
        trainable: True makes real and complex tensors parameters, except in channels.
    """

    def __init__(self, whole: object, trainable: bool = False) -> None:
        super().__init__()
        self.kind = type(whole)
        self.plain: dict[str, Any] = {}
        self.held: dict[str, str] = {}
        self.complex: set[str] = set()
        parts = parts_of(whole)
        for name, part in (vars(whole) if parts is None else parts).items():
            attribute = f"{name}_" if hasattr(self, name) else name
            if isinstance(part, Tensor):
                self._hold(name, attribute, part, trainable)
            elif isinstance(part, nn.Module):
                self.add_module(attribute, copy.deepcopy(part).requires_grad_(trainable))
            elif named_tensors(part):
                self.add_module(attribute, TensorHolder(part, trainable and not isinstance(part, Channel)))
            else:
                self.plain[name] = part
                continue
            self.held[name] = attribute

    def _hold(self, name: str, attribute: str, tensor: Tensor, trainable: bool) -> None:
        if tensor.is_complex():
            self.complex.add(name)
            tensor = torch.view_as_real(tensor.resolve_conj())
        tensor = tensor.detach().clone(memory_format=torch.contiguous_format)
        if trainable and tensor.is_floating_point():
            self.register_parameter(attribute, nn.Parameter(tensor))
        else:
            self.register_buffer(attribute, tensor)

    def value(self) -> Any:
        """The object with the present tensors."""
        parts = dict(self.plain)
        for name, attribute in self.held.items():
            part = getattr(self, attribute)
            if isinstance(part, TensorHolder):
                part = part.value()
            parts[name] = torch.view_as_complex(part) if name in self.complex else part
        return from_parts(self.kind, parts)
