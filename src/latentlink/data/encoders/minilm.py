"""The network of all-MiniLM-L6-v2: a BERT of six layers whose tokens are averaged [reimers2019sentence, wang2020minilm].

    h = LN(word + place + kind),    h ← layer(h) six times (attention, then 384 → 1536 → 384),    x = mean of the tokens' h, of length one.

It is written out here since the weights come as a package of their own, and what usually runs them asks for far more.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

DIM, WIDE, HEADS, LAYERS = 384, 1536, 12, 6
WORDS, PLACES, KINDS = 30522, 512, 2  # tokens that are known, tokens of a text, and kinds of them, of which a text alone has the first
_EPSILON = 1e-12
_ATTENTION = ("query", "key", "value")  # of each layer, which PyTorch keeps in one matrix
_NAMES = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}  # of PyTorch's layer: the published name


class MiniLM(nn.Module):
    """Map tokens (n, t) to latents (n, 384) of length one."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(WORDS, DIM)
        self.place = nn.Embedding(PLACES, DIM)
        self.kind = nn.Embedding(KINDS, DIM)
        self.norm = nn.LayerNorm(DIM, eps=_EPSILON)
        layer = nn.TransformerEncoderLayer(DIM, HEADS, WIDE, activation="gelu", layer_norm_eps=_EPSILON, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, tokens: Int[Tensor, "n t"], present: Bool[Tensor, "n t"]) -> Float[Tensor, "n 384"]:
        """Encode texts of at most 512 tokens; `present` is false where a text has ended."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        h = self.norm(self.word(tokens) + self.place(places) + self.kind.weight[0])
        h = self.layers(h, src_key_padding_mask=~present)
        shares = present / present.sum(1, keepdim=True)
        return nn.functional.normalize((h * shares.unsqueeze(-1)).sum(1), dim=1)

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Load BERT's published state, of which its pooler is left out; a KeyError where something is missing."""
        own = {f"{ours}.weight": state[f"embeddings.{name}_embeddings.weight"] for ours, name in _EMBEDDINGS.items()}
        for part in ("weight", "bias"):
            own[f"norm.{part}"] = state[f"embeddings.LayerNorm.{part}"]
            for number in range(LAYERS):
                layer, published = f"layers.layers.{number}", f"encoder.layer.{number}"
                joined = [state[f"{published}.attention.self.{name}.{part}"] for name in _ATTENTION]
                own[f"{layer}.self_attn.in_proj_{part}"] = torch.cat(joined)
                own |= {f"{layer}.{ours}.{part}": state[f"{published}.{name}.{part}"] for ours, name in _NAMES.items()}
        self.load_state_dict(own, strict=True)


_EMBEDDINGS = {"word": "word", "place": "position", "kind": "token_type"}
