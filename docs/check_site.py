"""Check a built site: every internal link and anchor leads somewhere, nothing is loaded from elsewhere, every image has a text.

python docs/check_site.py docs/_build/html
"""

import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src", "object": "data"}
LOADING_RELATIONS = {"stylesheet", "preload", "prefetch", "icon", "shortcut", "manifest", "preconnect", "dns-prefetch", "modulepreload"}


class Page(HTMLParser):
    """What a page links to, what it loads, its anchors, and its images without a text."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.anchors, self.silent = set(), set(), set(), set()
        self.formulas, self.within = [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        self.within = "tex" in (values.get("class") or "").split()
        if self.within:
            self.formulas.append("")
        if tag == "a" and values.get("href"):
            self.links.add(values["href"])
        if tag == "link" and values.get("href") and LOADING_RELATIONS & set((values.get("rel") or "").split()):
            self.loads.add(values["href"])
        if values.get(LOADS.get(tag, "")):
            self.loads.add(values[LOADS[tag]])
        if tag == "img" and not (values.get("alt") or "").strip() and values.get("role") != "presentation":
            self.silent.add(values.get("src"))

    def handle_endtag(self, tag):
        self.within = False

    def handle_data(self, data):
        if self.within:
            self.formulas[-1] += data


def wrong_formulas(pages, katex):
    """Formulas that KaTeX does not understand, where Node.js is there to ask it."""
    if shutil.which("node") is None or not katex.exists():
        return
    script = "const k=require(process.argv[1]),f=JSON.parse(require('fs').readFileSync(0));"
    script += "console.log(JSON.stringify(f.map(t=>{try{k.renderToString(t);return null}catch(e){return e.message}})))"
    found = [(path, tex.strip()) for path, page in pages.items() for tex in page.formulas]
    formulas = json.dumps([tex for _, tex in found])
    done = subprocess.run(["node", "-e", script, str(katex)], input=formulas, capture_output=True, text=True, check=True)
    for (path, _), message in zip(found, json.loads(done.stdout), strict=True):
        if message:
            yield path, message


def outside(address):
    return bool(urlsplit(address).netloc)


def faults(site):
    """Sentences on what is wrong, page by page."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    for path, page in pages.items():
        where = path.relative_to(site)
        for address in sorted(page.loads):
            if outside(address):
                yield f"{where}: loads {address}"
            elif not address.startswith("data:") and not resolved(path, address).exists():
                yield f"{where}: loads {address}, which is not there"
        for address in sorted(page.links):
            if outside(address) or urlsplit(address).scheme:
                continue
            target, anchor = resolved(path, address), unquote(urlsplit(address).fragment)
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                yield f"{where}: the link to {address} leads nowhere"
            elif anchor and target in pages and anchor not in pages[target].anchors:
                yield f"{where}: {address} names an anchor that is not there"
        for address in sorted(page.silent):
            yield f"{where}: the image {address} has no alternative text"
    for path, message in wrong_formulas(pages, site / "_static" / "katex" / "katex.min.js"):
        yield f"{path.relative_to(site)}: {message}"
    for path in sorted(site.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        if "url(http" in text or "url(//" in text or '@import "http' in text:
            yield f"{path.relative_to(site)}: loads from outside"


def resolved(page, address):
    path = unquote(urlsplit(address).path)
    return (page.parent / path).resolve() if path else page


def main(folder):
    site = Path(folder).resolve()
    found = list(faults(site))
    for sentence in found:
        print(sentence)
    count = len(list(site.rglob("*.html")))
    print(f"{count} pages, {len(found)} faults")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
