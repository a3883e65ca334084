"""Texts, titled images, WordNet's definitions and clip art: the sets, and their readers on forged files."""

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

import latentlink as ll
from latentlink.data.datasets import clip_art as drawings
from latentlink.data.datasets import wordnet as words
from latentlink.data.datasets.clip_art import title_of
from latentlink.data.datasets.texts import seen_by


def squares(n):
    return ll.data.ImageSet("squares", torch.zeros(n, 8, 8, dtype=torch.uint8), torch.zeros(n, dtype=torch.int64), ("one",))


def test_texts_are_chosen_with_their_labels():
    texts = ll.data.TextSet("t", ("a", "b", "c"), torch.tensor([0, 1, 0]), ("x", "y"))
    for chosen in (texts.subset([2, 1]), texts.subset(torch.tensor([False, True, True])).subset(torch.tensor([1, 0]))):
        assert chosen.texts == ("c", "b")
        assert chosen.labels.tolist() == [0, 1]
    with pytest.raises(IndexError, match="text numbers below 3"):
        texts.subset([3])


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("abc", None, "texts must be a sequence of words, got .abc."),
        (("a", " "), None, "must not be empty, got ' ' as number 1"),
        (("a",), torch.tensor([0, 0]), "one for each of the texts"),
        (("a",), torch.tensor([1]), "0 to 0 for 1 classes, got 1 to 1"),
    ],
)
def test_what_are_no_texts(texts, labels, message):
    with pytest.raises(ValueError, match=message):
        ll.data.TextSet("t", texts, labels, ("x",))


def test_each_encoder_sees_what_it_takes():
    titles = ll.data.TextSet("titles", ("a", "b"), torch.tensor([0, 0]), ("one",))
    both = ll.data.TitledImages(squares(2), titles)
    assert seen_by("images", both, "e") is both.images
    assert seen_by("texts", both, "e") is titles
    with pytest.raises(ValueError, match="encoder e takes texts, got the images of squares: name an encoder of images"):
        seen_by("texts", squares(2), "e")
    with pytest.raises(ValueError, match="got 2 titles of 3 images"):
        ll.data.TitledImages(squares(3), titles)
    with pytest.raises(ValueError, match="must have the labels of their images"):
        ll.data.TitledImages(squares(2), ll.data.TextSet("titles", ("a", "b")))


def test_definitions_are_chosen_by_class_once_each(tmp_path, monkeypatch):
    nouns = [f"{n:08d} {5 + n % 12:02d} n 01 word 0 000 @ | gloss {n}; an example \n" for n in range(120)]
    file = tmp_path / "data.noun"
    file.write_text("  1 the licence\n" + "".join(nouns) + "00000999 05 n 01 word 0 000 @ | gloss 7; another \n", encoding="utf-8")
    glosses = words.read_glosses(file)
    assert ("animal", "gloss 0") in glosses
    assert len(glosses) == 119  # two meanings share gloss 7
    with pytest.raises(ValueError, match=r"data.noun: .* has 10 glosses, and 1000 for training and 200 for test"):
        ll.data.wordnet("test", tmp_path)
    monkeypatch.setattr(words, "TRAIN", 6)
    monkeypatch.setattr(words, "TEST", 2)
    train, test = (ll.data.wordnet(split, tmp_path) for split in ("train", "test"))
    assert train.labels.bincount().tolist() == [6] * 12
    assert len({*train.texts, *test.texts}) == 12 * 8
    assert ll.data.wordnet("train", tmp_path).texts == train.texts
    file.write_text("00000999 99 n 01 word | a gloss\n")
    with pytest.raises(ValueError, match=r"data.noun: line 1 is no noun of WordNet"):
        ll.data.wordnet("test", tmp_path)


@pytest.mark.parametrize(("read", "package"), [(ll.data.wordnet, "wordnet-base"), (ll.data.clip_art, "openclipart-png")])
def test_what_is_not_there_says_what_to_install(read, package, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path))
    with pytest.raises(ll.data.DatasetNotFound, match=f"install Debian's package {package}"):
        read("test")


@pytest.mark.parametrize(
    ("stem", "artist", "title"),
    [
        ("cigno_architetto_frances_01", "Architetto Francesco Rollandin", "cigno"),
        ("bottle_jean_victor_balin_", "Jean-Victor Balin", "bottle"),
        ("c_rollandin_francesco_ar_01", "Architetto Francesco Rollandin", "c"),
        ("maracas_ganson", "Gerald G.", "maracas"),
        ("star_66pt13step", "codifiedivining", "star ptstep"),
        ("RisqueBiologique", "", "risquebiologique"),
        ("hotel_icon_24_hour_room_01", "Gerald G.", "hotel icon hour room"),
        ("benji_park_01", "Benji Park", ""),
    ],
)
def test_titles_are_without_their_artists(stem, artist, title):
    assert title_of(stem, artist) == (title if len(title) > 1 else "")


def draw(path, seed, artist="Ann Other", shape=(40, 60)):
    """A picture of blocks of its own, with an artist and a clear margin."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shades = np.random.default_rng(seed).integers(0, 256, (5, 6)).astype(np.uint8)
    blocks = np.kron(shades, np.ones((shape[0] // 5, shape[1] // 6), np.uint8))
    facts = PngImagePlugin.PngInfo()
    facts.add_text("Author", artist)
    Image.fromarray(np.dstack([blocks, blocks, blocks, np.full_like(blocks, 255)])).save(path, pnginfo=facts)


def test_drawings_are_kept_once_and_read_once(tmp_path, monkeypatch):
    root = tmp_path / "clip-art"
    for number, (kind, word) in enumerate((kind, word) for kind in ("food", "tools") for word in ("oak", "elm", "fir", "ash")):
        draw(root / kind / f"{word}-{kind}_ann_oth_01.png", number)
    draw(root / "food" / "woods" / "oak-food_02.png", 90)  # the same title
    draw(root / "tools" / "birch_01.png", 0, shape=(80, 120))  # the same picture, larger
    draw(root / "unsorted" / "anything.png", 91)
    (root / "tools" / "torn.png").write_bytes(b"\x89PNG")
    monkeypatch.setattr(drawings, "SMALLEST_CLASS", 3)
    monkeypatch.setenv("LATENTLINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LATENTLINK_DATA", str(tmp_path))
    train, test = ll.data.clip_art("train"), ll.data.clip_art("test")
    titles = {*train.titles.texts, *test.titles.texts}
    assert len(titles) == len(train) + len(test) == 8
    assert titles <= {f"{word} {kind}" for kind in ("food", "tools") for word in ("oak", "elm", "fir", "ash")} | {"birch"}
    assert train.classes == ("food", "tools")
    assert train.images.images.shape[1:] == (96, 96, 3)
    assert bool((train.images.images[:, 0] == 255).all())  # white above what is wider than high
    for title, label in zip(train.titles.texts, train.labels.tolist(), strict=True):
        assert train.classes[label] in title or title == "birch"
    monkeypatch.setattr(drawings, "read_picture", None)  # what was read is found again
    assert torch.equal(ll.data.clip_art("test").images.images, test.images.images)


def test_what_lies_on_this_machine_is_as_described():
    """The real files, where they are."""
    try:
        texts = ll.data.wordnet("test", words.DEBIAN_FOLDER)
    except ll.data.DatasetNotFound:
        pytest.skip("Debian's package wordnet-base is not installed, which has the definitions")
    assert texts.labels.bincount().tolist() == [200] * 12
    assert {"animal", "artifact", "person", "plant"} < set(texts.classes)
