"""The directive `dependency-licences`: what latentlink and each of its extras ask for, with versions and licences as installed.

A package tells its licence in its metadata, as an expression of SPDX, as a classifier, or in words of its own; the table has the first of
these that is there.
"""

import re
from importlib.metadata import PackageNotFoundError, metadata, requires

from docutils import nodes
from docutils.statemachine import StringList
from packaging.requirements import Requirement
from sphinx.util.docutils import SphinxDirective

LEFT_OUT = ("dev",)
LONGEST = 60  # letters of a licence in words; a whole text is not one


def licence_of(found):
    """The licence that the metadata of a distribution tell."""
    if found.get("License-Expression"):
        return found["License-Expression"]
    classifiers = [each.rpartition(" :: ")[2] for each in found.get_all("Classifier") or [] if each.startswith("License ::")]
    classifiers = [each for each in classifiers if each != "OSI Approved"]
    first = (found.get("License") or "").strip().split("\n")[0]
    if classifiers:
        return ", ".join(dict.fromkeys(classifiers))
    return first if 0 < len(first) <= LONGEST and first != "UNKNOWN" else "see the package"


def requirements():
    """Names of required packages, in the order of the alphabet, with the extras that ask for them; "" is the core."""
    asked = {}
    for text in requires("latentlink") or []:
        requirement = Requirement(text)
        named = re.search(r"extra == ['\"]([^'\"]+)['\"]", str(requirement.marker or ""))
        asked.setdefault(requirement.name.lower().replace("_", "-"), set()).add(named[1] if named else "")
    return {name: sorted(extras - set(LEFT_OUT)) for name, extras in sorted(asked.items()) if extras - set(LEFT_OUT)}


def rows():
    """Lines of the table."""
    yield "| package | asked for by | version here | licence |"
    yield "|---|---|---|---|"
    for name, extras in requirements().items():
        by = "core" if "" in extras else ", ".join(f"`{extra}`" for extra in extras)
        try:
            found = metadata(name)
            yield f"| {found['Name']} | {by} | {found['Version']} | {licence_of(found)} |"
        except PackageNotFoundError:
            yield f"| {name} | {by} | not installed | see the package |"


class DependencyLicences(SphinxDirective):
    """The table, where the directive stands."""

    def run(self):
        parent = nodes.Element()
        self.state.nested_parse(StringList(list(rows()), source="licences"), self.content_offset, parent)
        return parent.children


def setup(app):
    app.add_directive("dependency-licences", DependencyLicences)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
