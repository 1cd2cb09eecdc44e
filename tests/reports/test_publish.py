"""Pages reach a folder; what is not ours is neither changed nor removed."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from bench.errors import BenchError, UsageError
from bench.reports.publish import MANIFEST, NO_JEKYLL, Changes, Files, Folder, manifest, site_of
from bench.result import Store
from tests.tracking.tracking_examples import make_plan, make_results

Site = Callable[..., Files]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Makes the files of a site from their texts, its manifest among them."""

    def make(**texts: str) -> Files:
        root = tmp_path / f"made-{len(list(tmp_path.iterdir()))}"
        files = {}
        for given, text in texts.items():
            name = given.replace("__", "/").replace("_html", ".html")
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            files[name] = path
        digests = {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
        (root / MANIFEST).write_text(manifest(digests))
        return files | {MANIFEST: root / MANIFEST}

    return make


def in_folder(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in root.rglob("*")
        if path.is_file()
    }


def texts(files: Files) -> dict[str, str]:
    return {name: path.read_text() for name, path in files.items()}


def test_a_folder_becomes_the_site(site: Site, tmp_path: Path) -> None:
    files, place = site(index_html="a", digits__index_html="b"), Folder(tmp_path / "to")
    assert place.changes(files).new == ["index.html", "digits/index.html", MANIFEST]
    assert not place.root.exists()
    assert "Open" in place.publish(files)
    assert in_folder(place.root) == texts(files)
    assert place.changes(files) == Changes([], [], [], [])


def test_only_what_the_site_owns_is_replaced_and_removed(site: Site, tmp_path: Path) -> None:
    place = Folder(tmp_path / "to")
    place.publish(site(index_html="a", old__index_html="b", mine_html="c"))
    (place.root / "CNAME").write_text("example.org")
    (place.root / "mine.html").write_text("changed by hand")
    files = site(index_html="new")
    changes = place.changes(files)
    assert (changes.replaced, changes.removed) == (["index.html", MANIFEST], ["old/index.html"])
    assert changes.kept == ["mine.html"]
    place.publish(files)
    assert in_folder(place.root) == texts(files) | {
        "CNAME": "example.org", "mine.html": "changed by hand",
    }  # fmt: skip
    assert not (place.root / "old").exists()


def test_a_foreign_folder_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "thesis.tex").write_text("years of work")
    with pytest.raises(BenchError, match="holds files that bench did not publish"):
        Folder(tmp_path / "to").publish(site(index_html="a"))
    assert in_folder(tmp_path / "to") == {"thesis.tex": "years of work"}


def test_a_foreign_file_under_our_name_is_refused(site: Site, tmp_path: Path) -> None:
    place = Folder(tmp_path / "to")
    place.publish(site(index_html="a"))
    (place.root / "about.html").write_text("theirs")
    with pytest.raises(BenchError, match=r"about\.html is not from an earlier publication"):
        place.publish(site(index_html="b", about_html="ours"))
    assert (place.root / "index.html").read_text() == "a"


def test_a_link_is_not_followed(site: Site, tmp_path: Path) -> None:
    place = Folder(tmp_path / "to")
    place.publish(site(index_html="a"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (place.root / "digits").symlink_to(elsewhere)
    with pytest.raises(BenchError, match="a link, which bench does not follow"):
        place.publish(site(index_html="a", digits__index_html="b"))
    assert list(elsewhere.iterdir()) == []


def test_a_manifest_that_points_elsewhere_is_refused(site: Site, tmp_path: Path) -> None:
    place = Folder(tmp_path / "to")
    place.publish(site(index_html="a"))
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    digest = sha256(b"x").hexdigest()
    (place.root / MANIFEST).write_text(json.dumps({"../outside.txt": digest}))
    with pytest.raises(BenchError, match="leaves the folder"):
        place.publish(site(index_html="a"))
    assert outside.exists()


def test_publishing_cut_short_is_taken_up_again(site: Site, tmp_path: Path) -> None:
    files, place = site(index_html="a", digits__index_html="b"), Folder(tmp_path / "to")
    place.publish(files)
    (place.root / "index.html").unlink()
    (place.root / "digits" / "index.html").write_text("half")
    place.publish(files)
    assert in_folder(place.root) == texts(files)


def test_the_site_of_results_has_its_pages_feed_and_manifest(tmp_path: Path) -> None:
    plan = make_plan("small")
    store = Store(tmp_path / "results")
    store.write_plan(plan)
    for result in make_results(plan):
        store.write(result)
    with site_of(store.root, "https://example.org/bench") as files:
        content = texts(files)
    assert {"index.html", "small/index.html", "feed.xml", "small/badge.json", NO_JEKYLL} <= set(
        content
    )
    assert 'href="https://example.org/bench/small/index.html"' in content["feed.xml"]
    owned = json.loads(content[MANIFEST])
    assert owned == {
        name: sha256(text.encode()).hexdigest()
        for name, text in content.items()
        if name != MANIFEST
    }


def test_what_cannot_be_published_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no results here"), site_of(tmp_path):
        pass
    Store(tmp_path).write_plan(make_plan("small"))
    with (
        pytest.raises(UsageError, match=r'--url: "example\.org"'),
        site_of(tmp_path, "example.org"),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_told(site: Site, tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(BenchError, match=r"file/to: cannot write here \(Not a directory\)"):
        Folder(tmp_path / "file" / "to").publish(site(index_html="a"))
