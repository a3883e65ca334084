"""The first hour with data of one's own: every block of docs/first-hour.md, run in an empty folder as it stands."""

import re
from pathlib import Path

import polars as pl

from processes import LATENTLINK

PAGE = Path(__file__).parents[2] / "docs" / "first-hour.md"
BLOCKS = re.findall(r"^```(python|bash|yaml)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_all_of_it_runs_and_says_what_the_page_says(forge, tmp_path):
    said = []

    def run(code, *arguments):
        done = forge.run(code, *arguments, folder=tmp_path, env={"LATENTLINK_CACHE": str(tmp_path / "cache"), "COLUMNS": "100"})
        assert done.returncode == 0, f"{arguments or code}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout + done.stderr)

    for kind, text in BLOCKS:
        if kind == "yaml":
            (tmp_path / "mine.yaml").write_text(text)
        elif kind == "python":
            run(text)
        else:
            for line in text.splitlines():
                run_line(line, run)
    quoted = re.search(r"^> (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert any(quoted in text for text in said)
    assert all((tmp_path / "my-link" / f"{name}.md").is_file() for name in ("pair", "link", "head"))
    page = (tmp_path / "results" / "mine" / "report.html").read_text(encoding="utf-8")
    assert "eigen-k" in page.lower()
    rows = pl.read_parquet(tmp_path / "results" / "mine" / "results.parquet")
    assert set(rows.filter(pl.col("family") != "reference")["seed"]) == {1, 2, 3}


def run_line(line, run):
    """One command of a block, without a shell where it is one of ours: the process that forks has imported what takes long."""
    command = re.sub(r"\s+#.*$", "", line).strip()
    if command.startswith("latentlink "):
        words = re.findall(r'"[^"]*"|\S+', command)[1:]
        run(LATENTLINK, *(word.strip('"') for word in words))
    elif command:
        run(
            "import subprocess, sys; subprocess.run(sys.argv[1].replace('python ', sys.executable + ' ', 1), shell=True, check=True)",
            command,
        )
