"""The documentation site: `make docs` builds it into docs/_build/html, without network, with warnings as errors."""

import os
import re
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

from docutils import nodes  # noqa: E402

import latentlink  # noqa: E402

project = "latentlink"
author = "The latentlink developers"
copyright = "The latentlink developers, Apache-2.0"
version = release = latentlink.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.bibtex",
    "sphinx_design",
    "sphinx_copybutton",
    # in docs/extensions
    "api_pages",
    "docstring_markup",
    "formulas",
    "licences",
    "repository_links",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "extensions", "static", "gallery", "tutorials", "results/bench", "**/GALLERY_HEADER.rst"]
nitpicky = False
default_role = "py:obj"  # a name between single backticks links to its entry where there is one
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
myst_dmath_double_inline = True

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"
bibtex_reference_style = "author_year"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
viewcode_line_numbers = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]

# The scripts of docs/gallery and docs/tutorials become pages in docs/auto, and notebooks.
galleries = [name for name in ("tutorials", "gallery") if any((HERE / name).glob("plot_*.py"))]
if galleries:
    from sphinx_gallery.sorting import FileNameSortKey

    extensions.append("sphinx_gallery.gen_gallery")
    sphinx_gallery_conf = {
        "examples_dirs": galleries,
        "gallery_dirs": [f"auto/{name}" for name in galleries],
        "filename_pattern": r"plot_",
        "within_subsection_order": FileNameSortKey,
        "abort_on_example_error": True,
        "capture_repr": ("_repr_html_", "__repr__"),
        "download_all_examples": False,
        "image_scrapers": ("matplotlib",),
        "min_reported_time": 60,
        "plot_gallery": "True",
        "remove_config_comments": True,
        "show_memory": False,
        "show_signature": False,
        "write_computation_times": False,  # its page loads scripts from elsewhere
    }
warnings.filterwarnings("ignore", category=UserWarning, message=".*FigureCanvasAgg is non-interactive.*")

html_theme = "pydata_sphinx_theme"
html_title = "latentlink"
html_static_path = ["static"]
html_css_files = ["latentlink.css"]
html_js_files = [("labels.js", {"loading_method": "defer"})]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "latentlink"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 6,
    "show_nav_level": 1,
    "navigation_depth": 3,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "search_as_you_type": True,
}
html_sidebars = {name: [] for name in ("index", "quickstart", "how-to-choose", "conventions", "notation", "paper", "faq", "references")}
html_sidebars |= {name: [] for name in ("benchmarks", "contributing", "changelog", "search", "genindex")}
html_context = {"default_mode": "auto"}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Where the repository is published, such as https://github.com/OWNER/latentlink: then links to files outside of docs lead there.
repository_url = os.environ.get("DOCS_REPOSITORY", "")


def leave_out_missing(app, name, content):
    """Leave out of the first page what has not been made: a gallery without scripts, a folder that is not there."""
    if name == "index":
        optional = ("auto/tutorials/index", "auto/gallery/index", "theory/index")
        for page in (page for page in optional if not any(HERE.glob(f"{page}.*"))):
            content[0] = re.sub(rf":::{{grid-item-card}} [^\n]*\n:link: {page}\n.*?\n:::\n", "", content[0], flags=re.DOTALL)
            content[0] = content[0].replace(f"\n{page}\n", "\n")


def describe_thumbnails(app, doctree):
    """Give the small figures of a gallery's overview a text, which the extension leaves empty."""
    for image in doctree.findall(nodes.image):
        thumbnail = re.search(r"sphx_glr_plot_\d*_?(\w+?)_thumb", image["uri"])
        if thumbnail and not image.get("alt"):
            image["alt"] = f"A figure of the example on {thumbnail[1].replace('_', ' ')}"


def setup(app):
    app.connect("source-read", leave_out_missing)
    app.connect("doctree-read", describe_thumbnails)
