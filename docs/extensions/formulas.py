"""Formulas by KaTeX, which the site brings along (docs/static/katex): nothing is loaded from elsewhere, at build or at reading.

A page without a formula loads none of it, and a browser without scripts shows the formulas as TeX.
"""

from html import escape

from docutils import nodes


def visit_inline(translator, node):
    translator.body.append(f'<span class="math tex">{escape(node.astext())}</span>')
    raise nodes.SkipNode


def visit_block(translator, node):
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    tex = node.astext().strip()
    if not node.get("nowrap", node.get("no-wrap")) and r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    translator.body.append(f'<div class="tex" data-display tabindex="0">{escape(tex)}</div>')
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({node["number"]})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>")
    raise nodes.SkipNode


def load_where_needed(app, name, template, context, doctree):
    if doctree is not None and any(True for kind in (nodes.math, nodes.math_block) for _ in doctree.findall(kind)):
        app.add_css_file("katex/katex.min.css")
        app.add_js_file("katex/katex.min.js", loading_method="defer")
        app.add_js_file("formulas.js", loading_method="defer")


def setup(app):
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "katex"
    app.connect("html-page-context", load_where_needed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
