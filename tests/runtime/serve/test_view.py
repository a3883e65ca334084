"""The live page: what its stream says, that it asks for nothing from elsewhere, and how a browser draws it."""

import json
import re
import shutil
import subprocess
import threading
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from latentlink_runtime.iq.addresses import AddressError
from latentlink_runtime.serve.view import MOST_EVENTS, MOST_POINTS, View, ViewServer, thinned

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EVIL = "<img src=http://x/y onerror=alert(1)> & </script><b>"


def content(server, path):
    with urllib.request.urlopen(f"{server.address}{path}", timeout=5) as answer:
        return answer.headers, answer.read().decode()


def states(server, most):
    """What the stream says in its first events."""
    headers, text = content(server, f"/events?most={most}")
    assert headers["Content-Type"] == "text/event-stream"
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def filled(view, updates=1):
    generator = np.random.default_rng(0)
    for number in range(updates):
        points = (generator.choice([-1, 1], 800) + 1j * generator.choice([-1, 1], 800)) / 2**0.5 + 0.1 * generator.normal(size=800)
        values = {"snr_db": 12 + number % 3, "accuracy": 0.85, "frequency": 0.004, "ok": 40 + number, "bad_header": 1}
        view.show(points, values, [f"epoch {number} in use", EVIL])
    return view


def test_the_stream_has_points_numbers_and_events():
    with ViewServer(filled(View("receiver")), 0) as server:
        first, second = states(server, 2)
    assert first["title"] == "receiver"
    assert first["number"] == second["number"] == 1
    assert second["age_s"] > first["age_s"]
    assert len(first["points"]) == MOST_POINTS
    assert first["values"] == {"snr_db": 12, "accuracy": 0.85, "frequency": 0.004, "ok": 40, "bad_header": 1}
    assert [event["text"] for event in first["events"]] == ["epoch 0 in use", EVIL]


def test_five_events_come_in_a_second():
    with ViewServer(View(), 0) as server:
        found = states(server, 4)
    assert np.diff([state["age_s"] for state in found]).min() > 0.15


def test_points_are_thinned_evenly_and_only_finite_ones_shown():
    points = np.arange(2000) + 1j
    assert [pair[0] for pair in thinned(points, 4)] == [0, 500, 1000, 1500]
    assert thinned([1, np.nan, 1j * np.inf, 0.12345 - 2j]) == [[1, 0], [0.123, -2]]
    assert thinned([]) == []
    assert len(thinned(points)) == MOST_POINTS


def test_numbers_that_json_does_not_have_and_events_without_end_do_no_harm():
    view = View("a" * 1000)
    for _ in range(3):
        view.show([], {"snr_db": float("nan"), "accuracy": None, "ok": float("inf")}, ["b" * 1000] * MOST_EVENTS)
    state = view.state()
    assert state["values"] == {"snr_db": None, "accuracy": None, "ok": None}
    assert len(state["events"]) == MOST_EVENTS
    assert len(state["title"]) == len(state["events"][0]["text"]) == 200


def test_the_page_asks_for_nothing_from_elsewhere():
    with ViewServer(View(), 0) as server:
        headers, page = content(server, "/")
        script, style = content(server, "/view.js")[1], content(server, "/view.css")[1]
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) == {"data:,", "view.css", "view.js"}
    assert re.findall(r"<script[^>]*>", page) == ['<script src="view.js" defer>']
    assert not re.search(r"<style|style=|\son[a-z]+=", page)
    assert not re.search(r"https?:|innerHTML|\beval\b|document\.write", script + style)


def test_only_loopback_sees_the_page():
    with pytest.raises(AddressError, match="host must be loopback"):
        ViewServer(View(), 0, "0.0.0.0")


def test_closing_ends_the_streams():
    server = ViewServer(View(), 0)
    answer = urllib.request.urlopen(f"{server.address}/events", timeout=5)
    assert answer.readline() == b"retry: 1000\n"
    server.close()
    assert answer.read().count(b"data: ") <= 2
    answer.close()


def browser(folder, address, *options):
    """What the browser leaves on its standard output."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on the path: the page was not rendered")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    command += ["--virtual-time-budget=5000", f"--user-data-dir={folder / 'profile'}", *options, f"{address}/?most=3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def shown(view):
    """Serves a view that goes on showing, as a process does: a browser may take long to start."""
    over = threading.Event()

    def go_on():
        while not over.wait(0.2):
            filled(view)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        with ViewServer(view, 0) as server:
            yield server
    finally:
        over.set()
        thread.join()


def test_chromium_shows_the_numbers_and_texts_as_texts(tmp_path):
    with shown(filled(View("receiver, 4 × 4"))) as server:
        document = browser(tmp_path, server.address, "--dump-dom")
    assert ">live</p>" in document
    assert "<title>latentlink receiver, 4 × 4</title>" in document
    assert "<b>12.0</b>" in document
    assert "<b>85.0</b>" in document
    assert "500 symbols" in document
    assert re.search(r'<th scope="row">bad header</th><td>1</td>', document)
    assert "&lt;img src=http://x/y onerror=alert(1)&gt;" in document
    assert "<img" not in document


@pytest.mark.parametrize("size", ["1280,900", "420,1700"], ids=["desk", "telephone"])
def test_chromium_draws_the_page(size, tmp_path):
    """Pixels of the constellation are there, and on a telephone nothing is wider than the window."""
    image = pytest.importorskip("matplotlib.image", reason="matplotlib is not installed: the screenshot was not looked at")
    with shown(filled(View("receiver, 4 × 4"))) as server:
        browser(tmp_path, server.address, f"--window-size={size}", f"--screenshot={tmp_path / 'page.png'}")
    pixels = image.imread(tmp_path / "page.png")[..., :3]
    assert pixels.shape[1] == int(size.split(",")[0])
    blue = (pixels[..., 2] - pixels[..., 0] > 0.25).sum()
    assert blue > 1000
    paper = pixels[2, 2]
    np.testing.assert_allclose(pixels[:, -3:], np.broadcast_to(paper, (len(pixels), 3, 3)), atol=0.02)
