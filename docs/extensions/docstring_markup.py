"""Docstrings are written to be read in the source; this makes them reStructuredText.

Their equations and tables are indented blocks, which become literal blocks, and signs that reStructuredText would take as markup outside
of backticks, as in E||s||² or F*, are escaped.
"""

import importlib
import re
from functools import cache
from pathlib import Path

SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Warns|References|Example|Examples|Note|Notes):$")
ALIASES = {
    "AnyArray": "latentlink.numerics.doors",
    "AnyLabels": "latentlink.latents.labels",
    "AnyPath": "latentlink.data.readers.sources",
    "AnyStudy": "latentlink.studies.experiments",
    "AnyLink": "latentlink.links.own",
}
KEYS = set(re.findall(r"^@\w+\{([^,\s]+),", (Path(__file__).parents[1] / "references.bib").read_text(encoding="utf-8"), re.MULTILINE))
CODE = re.compile(r"(``.+?``|`[^`]+`)")


def indent(line):
    return len(line) - len(line.lstrip())


def blocks(lines):
    """Each line with whether it is in an indented block that follows a blank line and a paragraph that is further left."""
    left, inside, blank = 0, False, True
    for line in lines:
        if not line.strip():
            blank = True
            yield line, inside
            continue
        if inside and indent(line) <= left:
            inside = False
        if not inside and blank and indent(line) > left and not is_list(line):
            inside = True
        if not inside:
            left = indent(line)
        blank = False
        yield line, inside


def beside(line):
    """`Args (beside those of …):` as a sentence and the section."""
    match = re.match(r"Args \((.*)\):$", line)
    return [f"The following are {match[1]}.", "", "Args:"] if match else [line]


def is_list(line):
    return bool(re.match(r"\s*([-*] |\d+[.)] |>>> )", line))


def literal(code):
    """What stands between single backticks, as literal text where it is no name that could be linked."""
    return code if re.fullmatch(r"`[A-Za-z]\w*(\.\w+)*(\(\))?`", code) else f"`{code}`"


def cite(text):
    """`[key]` and `[key; key]` of entries of references.bib as citations."""
    return re.sub(r"\[([\w; ,]+)\]", lambda match: f":cite:p:`{','.join(keys)}`" if (keys := known_keys(match[1])) else match[0], text)


def known_keys(text):
    keys = re.split(r"[;,] ?", text)
    return keys if set(keys) <= KEYS else []


def escape(line):
    """A line of prose without accidental markup; what stands between backticks stays as it is."""
    parts = [literal(part) if part.startswith("`") and not part.startswith("``") else part for part in CODE.split(line)]
    for position in range(0, len(parts), 2):
        text = re.sub(r"([|*])", r"\\\1", parts[position])
        parts[position] = re.sub(r"(?<=[^\W_])_(?=\W|$)", r"\\_", text)
        parts[position] = cite(parts[position])
    return "".join(parts)


def to_restructured(lines):
    """The lines of a docstring as reStructuredText, with Google's sections as they were."""
    result, doctest, was_inside = [], False, False
    for line, inside in blocks([part for given in lines for part in beside(given)]):
        doctest = bool(line.strip()) and (doctest or line.lstrip().startswith(">>>"))
        if inside and not was_inside and not doctest and line.strip():
            result += [" " * (indent(line) - 4 if indent(line) >= 4 else 0) + ".. code-block:: text", ""]
        was_inside = inside
        if inside or doctest or SECTION.match(line.strip()):
            result.append(line)
        else:
            argument = re.match(r"(\s*)(\*{1,2}\w+)(:.*)$", line)  # Napoleon escapes the names of *args and **options itself
            result.append(argument[1] + argument[2] + escape(argument[3]) if argument else escape(line))
    return result


def alias_names(app, what, name, obj, options, signature, result):
    """Signatures with the names of unions that many functions take, instead of their members."""
    aliases = aliases_by_text()

    def short(text):
        for members, alias in aliases:
            text = text.replace(members, alias) if text else text
        return text

    return short(signature), short(result)


@cache
def aliases_by_text():
    """The unions as Sphinx writes them, longest first, with their names."""
    from sphinx.util.typing import stringify_annotation

    named = {name: getattr(importlib.import_module(module), name) for name, module in ALIASES.items()}
    modes = ("smart", "fully-qualified-except-typing")
    texts = [(stringify_annotation(union, mode), name) for name, union in named.items() for mode in modes]
    return sorted(texts, key=lambda pair: -len(pair[0]))


def process(app, what, name, obj, options, lines):
    lines[:] = to_restructured(lines)
    if what in ("attribute", "data", "property"):
        lines[:0] = ["..", ""]  # an empty comment: Napoleon takes what stands before a colon of the first line for a type


def setup(app):
    app.connect("autodoc-process-signature", alias_names)
    app.connect("autodoc-process-docstring", process, priority=100)  # before Napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
