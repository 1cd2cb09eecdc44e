"""The store of results to a folder of pages that open from anywhere, the file system included."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError, writing
from bench.outside.json_text import read_mapping
from bench.outside.words import for_xml
from bench.reports.boards.tables import long_form, results_of, to_csv, to_json
from bench.reports.charts.scatter import board_csv, ranks_csv
from bench.reports.charts.svg import standalone
from bench.reports.export import tables
from bench.reports.pages.citation import bibliography
from bench.reports.pages.cross_track import matrix
from bench.reports.pages.feed import FEED, endpoint, feed
from bench.reports.pages.method import MethodView, method_views
from bench.reports.pages.reading import STATISTICS, explained
from bench.reports.pages.rendering import templates
from bench.reports.pages.suite import Coverage, SuiteView, suite_view
from bench.reports.pages.trial import TrialView, facts, read_run_ids, trial_views
from bench.reports.statistics import seeds
from bench.reports.statistics.arithmetic import EQUAL_BITS
from bench.result import MetricInfo, Plan, Result, Store, TrackInfo, write_atomically

MANIFEST = ".bench-pages.json"
"""What the last build wrote, with SHA-256: nothing else in the folder is ever removed."""

RESERVED = ("methods",)
"""Folders of the site that are no suite's."""

Files = Iterator[tuple[str, str]]
"""Path in the site and text, file by file: a large site is never held in memory as a whole."""

Page = Callable[..., str]
"""The name of a template, the way to the top, the page's place in the menu, variables -> text."""


@dataclass(frozen=True)
class Loaded:
    """A suite as the store has it, read once, and its page."""

    view: SuiteView
    results: Mapping[str, Result]
    run_ids: Mapping[str, str]


def build(
    store_root: Path, site: Path, interval: seeds.Interval = "t", address: str = ""
) -> list[Path]:
    """Write the pages of every suite in the store; returns the files written, index first.

    Equal results give equal bytes. Files of suites that are gone are removed, unless someone
    changed them since we wrote them.

    Args:
        store_root: the folder of results.
        site: the folder of pages.
        interval: how the interval of a mean over seeds is made.
        address: where the site will stand, "https://.../", for the feed's links.

    Raises:
        BenchError: a file of the store is damaged, a suite has the name of a folder of ours, or the
            pages cannot be written; each page is then the old one or the new one.
    """
    before = _written_before(site)
    digests: dict[str, str] = {}
    try:
        for name, page in pages(store_root, interval, address):
            text = for_xml(page)
            with writing(site / name):
                _write(_inside(site, name), text)
            digests[name] = _digest(text)
        with writing(site):
            _remove_stale(site, before, digests)
            write_atomically(site / MANIFEST, manifest(digests))
    except BaseException:  # cut short, the site is still ours, file by file
        with suppress(OSError):
            if digests:
                write_atomically(site / MANIFEST, manifest(before | digests))
        raise
    return [site / name for name in digests]


def manifest(digests: Mapping[str, str]) -> str:
    """The text of a manifest: SHA-256 by path in the site."""
    return json.dumps(dict(sorted(digests.items())), indent=1) + "\n"


def render(store_root: Path, interval: seeds.Interval = "t") -> dict[str, str]:
    """Text of every file of the site, by its path in it."""
    return dict(pages(store_root, interval))


def pages(store_root: Path, interval: seeds.Interval = "t", address: str = "") -> Files:
    """Every file of the site, index first; arguments as of `build`."""
    store = Store(store_root)
    suites = [
        Loaded(suite_view(name, plan, results, interval), results, read_run_ids(store_root, name))
        for name, plan in _plans(store)
        for results in [results_of(store, name, plan)]
    ]
    methods = method_views([suite.view for suite in suites])
    environment = templates(interval)

    def page(template: str, root: str, here: str = "", **variables: Any) -> str:
        variables = {"kind": "tables", "root": root, "here": here} | variables
        return environment.get_template(f"{template}.html.j2").render(variables)

    yield from _top(page, [suite.view for suite in suites], methods)
    yield FEED, feed([(suite.view, suite.results) for suite in suites], address)
    yield "citation.bib", bibliography()
    slugs = {method.name: method.slug for method in methods}
    for suite in suites:
        yield from _suite(page, suite, slugs)
        yield from _trials(page, suite, slugs)


def _plans(store: Store) -> Iterator[tuple[str, Plan]]:
    for name in store.suites():
        if name in RESERVED:
            raise BenchError(
                f'suite "{name}": the pages need this folder. Rename the suite\'s file.'
            )
        if plan := store.read_plan(name):
            yield name, plan


def _top(page: Page, suites: Sequence[SuiteView], methods: Sequence[MethodView]) -> Files:
    counts: Counter[str] = Counter()
    for suite in suites:
        counts.update(suite.coverage.counts)
    yield "index.html", page(
        "index", "", "suites", suites=suites, methods=methods, coverage=Coverage(counts),
        finished=max((suite.finished for suite in suites if suite.finished), default=None),
        warnings=dict(warning for suite in suites for warning in suite.warnings),
    )  # fmt: skip
    slugs = {method.name: method.slug for method in methods}
    text = page("cross_examination", "", "cross-examination", matrix=matrix(suites), pages=slugs)
    yield "cross-examination.html", text
    tracks = explained(suites)
    text = page(
        "how_to_read", "", "reading", tracks=tracks, statistics=STATISTICS, equal_bits=EQUAL_BITS
    )
    yield "reading.html", text
    yield "methods/index.html", page("all_methods", "../", "methods", methods=methods)
    for method in methods:
        yield f"methods/{method.slug}.html", page("method", "../", "methods", method=method)


def _suite(page: Page, suite: Loaded, slugs: Mapping[str, str]) -> Files:
    view = suite.view
    yield f"{view.name}/index.html", page("suite", "../", suite=view, pages=slugs)
    frame = long_form(suite.view.plan, suite.results)
    yield f"{view.name}/results.csv", to_csv(frame)
    yield f"{view.name}/results.json", to_json(frame)
    boards = [task.board for task in view.tasks]
    yield f"{view.name}/results.tex", tables([(suite.view.plan, boards)])
    yield f"{view.name}/badge.json", endpoint(view)
    for figure in view.figures:
        yield f"{view.name}/{figure.slug}.csv", figure.csv
    for task in view.tasks:
        if task.figure:
            yield f"{view.name}/{task.slug}.csv", board_csv(task.board)
    for over in (ranks for track in view.tracks for ranks in track.over_tasks):
        if over.figure:
            yield f"{view.name}/{over.slug}.csv", ranks_csv(over.ranks)
    for slug, svg in view.drawings.items():
        yield f"{view.name}/{slug}.svg", standalone(svg)


def _trials(page: Page, suite: Loaded, slugs: Mapping[str, str]) -> Files:
    view = suite.view
    trials = trial_views(view, suite.results, suite.run_ids)
    text = page("trials", "../../", suite=view, tracks=list(_by_track(view, trials)))
    yield f"{view.name}/trials/index.html", text
    for trial in trials:
        if result := trial.result:
            text = page(
                "trial",
                "../../",
                **facts(suite.view.plan, trial, result),
                kind="every page",
                page=slugs[trial.method.name],
                group=view.group(trial.planned.task, trial.method),
            )
            yield f"{view.name}/trials/{trial.slug}.html", text


Grouped = tuple[TrackInfo, list[MetricInfo], list[tuple[TrialView, str]]]


def _by_track(view: SuiteView, trials: Sequence[TrialView]) -> Iterator[Grouped]:
    """Each track's trials; the first of a method on a task with the anchor of its group."""
    anchored: set[str] = set()
    for track in view.tracks:
        rows: list[tuple[TrialView, str]] = []
        ranking: dict[str, MetricInfo] = {}
        for trial in trials:
            if trial.track != track.info:
                continue
            group = view.group(trial.planned.task, trial.method)
            rows.append((trial, "" if group in anchored else group))
            anchored.add(group)
            ranking |= {metric.name: metric for metric in trial.task_view.board.ranking}
        yield track.info, list(ranking.values()), rows


def _inside(site: Path, name: str) -> Path:
    """The path of a page. Raises BenchError if a link in the site leads elsewhere."""
    path = site / name
    steps = (path, *path.parents[: name.count("/")])
    if link := next((step for step in steps if step.is_symlink()), None):
        raise BenchError(f"{link}: a link, which bench does not follow. Move it away.")
    return path


def _write(path: Path, text: str) -> None:
    """Write a page. Unlike a result it can be made again, so nobody waits for the disk."""
    encoded = text.encode("utf-8")
    if path.is_file() and path.stat().st_size == len(encoded) and path.read_bytes() == encoded:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(encoded)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_stale(site: Path, before: Mapping[str, str], files: Mapping[str, str]) -> None:
    for name, digest in before.items():
        path = site / name
        inside = site.resolve() in path.resolve().parents
        if name in files or not inside or path.is_symlink() or not path.is_file():
            continue
        if _digest(path.read_text(encoding="utf-8", errors="replace")) == digest:
            path.unlink()
            remove_emptied(path.parent, site)


def remove_emptied(folder: Path, site: Path) -> None:
    """Remove a folder of the site and those above it, as far as they are empty."""
    while folder != site and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _written_before(site: Path) -> dict[str, str]:
    try:
        manifest = read_mapping(site / MANIFEST, "a manifest", "")
    except BenchError:
        return {}  # then pages that are no longer made stay where they are
    return {
        str(name): str(digest)
        for name, digest in manifest.items()
        if not {"", ".", ".."} & set(str(name).split("/")) and "\0" not in str(name)
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()
