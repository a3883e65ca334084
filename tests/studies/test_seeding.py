import ast
from pathlib import Path

import latentlink.studies
from latentlink.studies.seeding import Draw

SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(Path(latentlink.studies.__file__).parent.rglob("*.py"))}


def test_no_two_draws_of_a_study_share_a_stream():
    """Over all kinds of draws, seeds that sums and multiples of the usual kind would make meet, and sizes of channels."""
    seeds = [*range(60), 27, 1009, 1_000_003, 2**32 - 1]
    streams = {(draw, seed): draw.generator(seed).initial_seed() for draw in Draw for seed in seeds}
    streams |= {
        ("sizes", seed, n_rx, n_tx): Draw.CHANNELS.generator(seed, n_rx, n_tx).initial_seed()
        for seed in range(20)
        for n_rx in range(1, 17)
        for n_tx in range(1, 17)
    }
    assert len(set(streams.values())) == len(streams)
    small = [draw.seed(seed) for draw in Draw for seed in set(seeds)]
    assert len(set(small)) == len(small)
    assert all(0 <= seed < 2**31 for seed in small)


def test_everything_that_studies_draw_has_a_name_that_is_used_for_one_thing():
    for path, text in SOURCES.items():
        if path.name != "seeding.py":
            calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
            assert not [call for call in calls if call.endswith(("manual_seed", "Generator"))], path
    uses = {
        draw: [path.name for path, text in SOURCES.items() if f"Draw.{draw.name}." in text and path.name != "seeding.py"] for draw in Draw
    }
    shared = {Draw.CHANNELS: ["channels.py", "situation.py"], Draw.DESIGN: ["codec.py", "method.py"]}  # the same channels; names of methods
    assert {draw: places for draw, places in uses.items() if len(places) != 1} == shared
