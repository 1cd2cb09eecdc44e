"""Every link between the files of a site lands, on a file and on an anchor of it."""

from __future__ import annotations

import csv
import io
import posixpath
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from bench.reports.site import render
from tests.reports.cross_track_sweep import cross_track
from tests.reports.figure_sweep import figure_sweep
from tests.reports.synthetic_sweep import TwoTasks, store_of


class Links(HTMLParser):
    """A page's links and anchors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [found["href"] or ""] if "href" in found else []
        self.ids += [found["id"] or ""] if "id" in found else []


def test_every_link_within_the_site_lands(two_tasks: TwoTasks, tmp_path: Path) -> None:
    for made in (two_tasks, figure_sweep(), cross_track("faces"), cross_track("poison")):
        store_of(tmp_path, *made)
    files = render(tmp_path)
    pages = {name: Links(text) for name, text in files.items() if name.endswith(".html")}
    followed = 0
    for name, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), name
        for link in page.links:
            if link.startswith(("https://", "http://", "data:")):
                continue
            path, _, anchor = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(path)))
            target = target if path else name
            assert target in files, (name, link)
            assert not anchor or anchor in pages[target].ids, (name, link)
            followed += 1
    assert followed > 1000


def test_every_page_can_be_reached_from_the_index(two_tasks: TwoTasks, tmp_path: Path) -> None:
    for made in (two_tasks, cross_track("faces")):
        store_of(tmp_path, *made)
    files = render(tmp_path)
    reached, waiting = {"index.html"}, ["index.html"]
    while waiting:
        name = waiting.pop()
        for link in Links(files[name]).links if name.endswith(".html") else []:
            path = unquote(link.partition("#")[0])
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if path and not path.startswith("data:") and target in files and target not in reached:
                reached.add(target)
                waiting.append(target)
    unreached = set(files) - reached
    # Badges stand in other people's README files.
    assert {name for name in unreached if "badge" not in name} == set()


def test_every_drawing_has_its_numbers_beside_it(two_tasks: TwoTasks, tmp_path: Path) -> None:
    for made in (two_tasks, figure_sweep(), cross_track("faces")):
        store_of(tmp_path, *made)
    files = render(tmp_path)
    drawings = [name[:-4] for name in files if name.endswith(".svg")]
    assert len(drawings) > 6
    assert [name for name in drawings if f"{name}.csv" not in files] == []


def test_the_numbers_of_a_leaderboard_are_those_of_its_drawing(
    two_tasks: TwoTasks, tmp_path: Path
) -> None:
    files = render(store_of(tmp_path, *two_tasks))
    lines = list(csv.DictReader(io.StringIO(files["adult/adult-income-over-50k-sex.csv"])))
    [odds] = [x for x in lines if (x["method"], x["metric"]) == ("bade", "odds")]
    # Seeds 1.0, 1.1, .9, 1.2 and .8 %: mean 1, sd .1581, t(4) = 2.7764.
    half = 2.776445 * 0.1581139 / 5**0.5
    assert float(odds["mean"]) == pytest.approx(1.0)
    assert float(odds["low"]) == pytest.approx(1.0 - half, rel=1e-5)
    assert float(odds["high"]) == pytest.approx(1.0 + half, rel=1e-5)
    assert (odds["rank"], odds["seeds"], odds["published"]) == ("1", "5", "3.41")
    assert len(lines) == 16
