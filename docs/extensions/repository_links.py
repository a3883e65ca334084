"""Links of pages to files of the repository outside of docs, which work as they stand on GitHub.

On the site they lead to the published repository, where `DOCS_REPOSITORY` names one; otherwise a file is offered as a download, and the
link to a folder is plain text. A file that a page of the site includes, such as the README of the examples, is linked as that page. Links
between pages are left as they are, and a link to docs/results is one to its first page.
"""

import os
import re
from pathlib import Path

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "examples/README.md": "examples.md"}


def rewrite(text, page, docs, repository, base):
    """The text of `page` (a path) with links for the site, where it stands on a page of the folder `base`."""
    root = docs.parent

    def link(match):
        words, target, anchor = match[1], match[2], match[3] or ""
        path = Path(os.path.normpath(page.parent / target))
        if not path.exists():
            return match[0]
        if path.is_dir() and (path / "README.md").exists():
            path = path / "README.md"
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
        path = docs / PAGES[name] if name in PAGES else path
        if path.is_relative_to(docs) and path.is_file():
            return f"[{words}](/{path.relative_to(docs).as_posix()}{anchor})"
        if repository:
            return f"[{words}]({repository}/{'tree' if path.is_dir() else 'blob'}/main/{path.relative_to(root).as_posix()}{anchor})"
        return words if path.is_dir() or path.suffix == ".md" else f"[{words}]({os.path.relpath(path, base)}{anchor})"

    return LINK.sub(link, text)


def of_source(app, name, content):
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md":
        if name.startswith("results/") and not content[0].lstrip().startswith("#"):  # a table as `latentlink study keep` writes it
            content[0] = f"# {path.stem}\n\n[All results](README.md) says which study and command made this table.\n\n{content[0]}"
        content[0] = rewrite(content[0], path, Path(app.srcdir), app.config.repository_url, path.parent)


def of_included(app, path, parent, content):
    path = Path(app.srcdir, path).resolve()
    base = Path(app.env.doc2path(parent)).parent
    content[0] = rewrite(content[0], path, Path(app.srcdir), app.config.repository_url, base)


def setup(app):
    app.add_config_value("repository_url", "", "env")
    app.connect("source-read", of_source)
    app.connect("include-read", of_included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
