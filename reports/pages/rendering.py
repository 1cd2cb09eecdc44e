"""The templates, with inlined styles and scripts whose hashes stand in the content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.reports import wording
from bench.reports.boards.tables import STATUS_WORDS
from bench.reports.charts.axes import axis_title
from bench.reports.pages.citation import citation
from bench.reports.pages.findings import RULES
from bench.reports.statistics import seeds

SCRIPTS = {"every page": ["theme.js"], "tables": ["theme.js", "grid.js", "page.js", "download.js"]}
STYLES = {"every page": ["style.css"], "tables": ["style.css", "tables.css"]}
"""The files that a page inlines; the second set is for pages with tables to sort and filter."""


def templates(interval: seeds.Interval = "t") -> Environment:
    """The environment of all pages; every text is escaped, an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("bench.reports.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,  # ten thousand pages need not ask each whether a template changed
    )
    environment.filters.update(prose=prose, breakable=breakable)
    environment.globals.update(
        inline={kind: _inline(kind) for kind in SCRIPTS},
        words=wording,
        status_words=STATUS_WORDS,
        ranking_rule=seeds.RANKING_RULE,
        interval_rule=seeds.INTERVAL_RULES[interval],
        rules=RULES,
        axis_title=axis_title,
        citation=citation(),
    )
    return environment


def prose(text: str) -> Markup:
    """Words of a docstring or a note, escaped: `code` between backticks, *stress* between stars."""
    parts = str(escape(text)).split("`")
    if len(parts) % 2 == 0:  # a backtick too many is only a backtick
        return escape(text)
    shown = (
        f"<code>{part}</code>" if i % 2 else _STRESSED.sub(r"<em>\1</em>", part)
        for i, part in enumerate(parts)
    )
    return Markup("".join(shown))  # noqa: S704 - each part was escaped above


_STRESSED = re.compile(r"(?<![\w*])\*(\w[^*]*?)\*(?![\w*])")


def breakable(label: str) -> Markup:
    """A method's label that may be broken before its fields and after each of them."""
    text = str(escape(label)).replace("[", "<wbr>[").replace(",", ",<wbr>")
    return Markup(text)  # noqa: S704 - escaped above


@cache
def _inline(kind: str) -> dict[str, Markup]:
    """Style and script of a kind of page, and the policy that admits them and nothing else."""
    style, script = (
        "".join(_own(name) for name in names) for names in (STYLES[kind], SCRIPTS[kind])
    )
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return {
        name: Markup(text)  # noqa: S704 - our own files, without a variable in them
        for name, text in (("style", style), ("script", script), ("policy", policy))
    }


def _own(name: str) -> str:
    """A file of static/, without what only its reader needs: indents and whole comments."""
    text = (files("bench.reports.pages") / "static" / name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("// "))


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
