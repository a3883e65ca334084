"""Formulas as MathML, which browsers draw by themselves: no script, no font and no network, at build or at reading."""

from html import escape

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def mathml(node, display):
    """The formula of a node as MathML, with its TeX source as the label that screen readers fall back on."""
    tex = " ".join(node.astext().split())
    try:
        markup = convert(tex, display=display)
    except Exception as error:
        LOGGER.warning("no MathML for the formula %r: %s", tex, error, location=node)
        return f"<code>{escape(tex)}</code>"
    return markup.replace("<math ", f'<math alttext="{escape(tex, quote=True)}" ', 1)


def visit_inline(translator, node):
    translator.body.append(f'<span class="math">{mathml(node, "inline")}</span>')
    raise nodes.SkipNode


def visit_block(translator, node):
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    translator.body.append(f'<div class="formula" tabindex="0">{mathml(node, "block")}</div>')
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({node["number"]})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
