"""The store of results to a folder of pages that open from anywhere, the file system included."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.result import Store, write_atomically
from reports import statistics, wording
from reports.drawing import axis_title, standalone
from reports.suite_page import SuiteView, suite_view
from reports.tables import STATUS_WORDS, long_form, results_of, to_csv, to_json

MANIFEST = ".bench-pages.json"
"""What the last build wrote, with SHA-256: nothing else in the folder is ever removed."""


def build(store_root: Path, site: Path) -> list[Path]:
    """Write the pages of every suite in the store; returns the files written, index first.

    Equal results give equal bytes. Files of suites that are gone are removed, unless someone
    changed them since we wrote them.
    """
    files = render(store_root)
    for name, text in files.items():
        write_atomically(site / name, text)
    _remove_stale(site, files)
    digests = {name: _digest(text) for name, text in sorted(files.items())}
    write_atomically(site / MANIFEST, json.dumps(digests, indent=1) + "\n")
    return [site / name for name in files]


def render(store_root: Path) -> dict[str, str]:
    """Text of every file of the site, by its path in it."""
    store = Store(store_root)
    views: list[SuiteView] = []
    files: dict[str, str] = {"index.html": ""}
    pages = _templates()
    for name in store.suites():
        plan = store.read_plan(name)
        if plan is None:
            continue
        results = results_of(store, name, plan)
        view = suite_view(name, plan, results)
        views.append(view)
        frame = long_form(plan, results)
        files[f"{name}/index.html"] = pages.get_template("suite.html.j2").render(suite=view)
        files[f"{name}/results.csv"] = to_csv(frame)
        files[f"{name}/results.json"] = to_json(frame)
        for figure in view.figures:
            files[f"{name}/{figure.slug}.csv"] = figure.csv
        for slug, svg in view.drawings.items():
            files[f"{name}/{slug}.svg"] = standalone(svg)
    files["index.html"] = pages.get_template("index.html.j2").render(suites=views)
    return files


def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals.update(
        style=Markup(style),  # noqa: S704 - our own file, without a variable in it
        style_hash=f"sha256-{digest}",
        words=wording,
        status_words=STATUS_WORDS,
        ranking_rule=statistics.RANKING_RULE,
        interval_rule=statistics.INTERVAL_RULE,
        axis_title=axis_title,
    )
    return environment


def _remove_stale(site: Path, files: dict[str, str]) -> None:
    for name, digest in _written_before(site).items():
        path = site / name
        inside = site.resolve() in path.resolve().parents
        if name in files or not inside or path.is_symlink() or not path.is_file():
            continue
        if _digest(path.read_text(encoding="utf-8", errors="replace")) == digest:
            path.unlink()
            if path.parent != site and not any(path.parent.iterdir()):
                path.parent.rmdir()


def _written_before(site: Path) -> dict[str, str]:
    try:
        manifest = json.loads((site / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(manifest, dict):
        return {}
    return {str(name): str(digest) for name, digest in manifest.items()}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()
