"""The pages: what they must say, what they must never contain, and what they leave alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.reports import site as pages
from bench.reports import wording
from bench.reports.boards.leaderboard import boards
from bench.reports.pages.suite import SELECTED_ON_TEST, suite_view
from bench.reports.site import build, render
from bench.reports.statistics.seeds import RANKING_RULE, Placement, Summary
from bench.result import Status
from tests.reports.synthetic_sweep import HOSTILE, SUITE, TwoTasks, environment, store_of

WriteStore = Callable[[TwoTasks], Path]


class Page(HTMLParser):
    """A page's tags and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._quiet = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._quiet = tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def suite_html(site: Path) -> str:
    return (site / SUITE / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(suite_html: str) -> Page:
    return Page(suite_html)


def test_build_writes_index_pages_data_and_figures(store_root: Path, tmp_path: Path) -> None:
    written = [path.relative_to(tmp_path).as_posix() for path in build(store_root, tmp_path)]
    assert written[0] == "index.html"
    assert len(written) == len(set(written))
    assert {
        "methods/index.html",
        "methods/bade.html",
        "adult/index.html",
        "adult/results.csv",
        "adult/results.json",
        "adult/adult-income-over-50k-sex.svg",
        "adult/adult-income-over-50k-race.svg",
        "adult/trials/index.html",
    } <= set(written)
    # One of the 80 trials was not run; a trial that failed has a page like any other.
    assert sum(name.startswith("adult/trials/") for name in written) == 79 + 1
    assert all((tmp_path / name).stat().st_size > 0 for name in written)


def test_equal_results_give_equal_bytes(store_root: Path, tmp_path: Path) -> None:
    def everything(folder: Path) -> dict[str, bytes]:
        build(store_root, folder)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    first = everything(tmp_path / "a")
    assert everything(tmp_path / "b") == first
    assert everything(tmp_path / "a") == first


def test_a_method_label_is_escaped_everywhere(site: Path) -> None:
    for path in site.rglob("*"):
        if path.suffix in (".html", ".svg"):
            text = path.read_text(encoding="utf-8")
            ours = text.count('<script>"use strict";')
            assert ours == (path.suffix == ".html"), path
            assert text.lower().count("<script") == ours, path
            assert "<b>" not in text.replace("<b>income_over_50k</b>", "").replace(
                "<b>sex</b>", ""
            ).replace("<b>race</b>", ""), path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (site / SUITE / "index.html").read_text()


def test_pages_ask_for_nothing_from_outside(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = Page(path.read_text(encoding="utf-8"))
        names = {tag for tag, _ in page.tags}
        assert not names & {"iframe", "img", "object", "embed", "base", "form"}
        assert page.attributes("script") == [{}]
        assert all(
            link["href"] == "data:," or link["rel"] == "alternate"
            for link in page.attributes("link")
        )
        assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
        policy = next(
            meta["content"]
            for meta in page.attributes("meta")
            if meta.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy is not None
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        for kind in ("style", "script"):
            text = path.read_text(encoding="utf-8").split(f"<{kind}>")[1].split(f"</{kind}>")[0]
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy
        assert not [attributes for _, attributes in page.tags if "style" in attributes]
        assert page.attributes("html") == [{"lang": "en"}]


def test_ids_are_unique_and_every_link_on_the_page_lands(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"] for a in page.attributes("a") if (a["href"] or "").startswith("#")}
    assert {f"#{name}" for name in ids} >= targets


def test_tables_are_native_and_scroll_in_their_own_region(page: Page, suite_html: str) -> None:
    # For each of two tasks: the ranking, tests on two metrics, costs, all other metrics.
    assert len(page.attributes("table")) == len(page.attributes("caption")) == 10
    assert all("scope" in attributes for attributes in page.attributes("th"))
    regions = [a for a in page.attributes("div") if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)
    assert len(suite_html) < 500_000


def test_coverage_counts_every_kind_of_ending(page: Page) -> None:
    assert "76 of 80 trials ended well; 1 failed; 1 timed out; 1 skipped; 1 not run" in page.text
    assert "5 of 5" in page.text
    assert "4 of 5" in page.text


def test_problems_are_listed_with_reason_and_traceback(page: Page) -> None:
    for words in (
        "adversarial , seed 2 : ValueError: loss is NaN after step 40 <b>",
        "Traceback (most recent call last)",
        f"{HOSTILE} , seed 4 : longer than 600 s",
        "mfd , seed 1 : needs images; these are columns",
        "bade , seed 3: no result yet",
    ):
        assert words in page.text


def test_measured_published_and_difference_stand_side_by_side(page: Page) -> None:
    # bade: Odds 1.00 measured, 3.41 published; EAcc 81.50 and 79.23.
    measured = r"1\.00 ± 0\.20 3\.41 −2\.41 outside 81\.50 ± 0\.20 79\.23 \+2\.27 outside"
    assert re.search(measured, page.text)
    # The variant borrows its base's figure, and says so.
    assert re.search(r"1\.80 ± 0\.20 3\.41 of bade −1\.61", page.text)
    assert "BaDe 2024, Table 3" in page.text


def test_the_difference_is_measured_minus_published_in_points(two_tasks: TwoTasks) -> None:
    board = boards(*two_tasks)[0]
    row = next(row for row in board.rows if row.method.label == "bade")
    # (1.0 + 1.1 + 0.9 + 1.2 + 0.8) / 5 = 1.00 %
    assert row.cells["odds"].difference == pytest.approx(1.00 - 3.41)
    assert row.cells["auc"].difference is None


def test_failed_seeds_are_missing_and_never_zero(two_tasks: TwoTasks) -> None:
    board = boards(*two_tasks)[0]
    row = next(row for row in board.rows if row.method.label == "adversarial")
    summary = row.cells["odds"].summary
    assert summary is not None
    # Seeds 0, 1, 3, 4: 5, 10, 7 and 1 %; seed 2 failed.
    assert (summary.n, row.ok, row.planned) == (4, 4, 5)
    assert summary.mean == pytest.approx(0.0575)


def test_a_shared_rank_is_marked(page: Page) -> None:
    assert page.text.count("2 = mean place 2.5") == 4


def test_an_undefined_metric_is_na_with_its_reason(page: Page) -> None:
    assert "n/a" in page.text
    assert "the method gives no scores (AUC of mfd)" in page.text


def test_selection_on_test_is_said_in_words(page: Page, site: Path) -> None:
    assert SELECTED_ON_TEST in page.text
    assert "Selected on test (adult/income_over_50k|race)" in page.text
    assert "selected on test" in Page((site / "index.html").read_text()).text
    assert "selected on test" in (site / SUITE / "adult-income-over-50k-race.svg").read_text()


def test_data_that_are_not_official_are_named(page: Page) -> None:
    assert "Data not official (adult/income_over_50k|race)" in page.text


def test_an_honest_sweep_carries_no_warning(write_store: WriteStore, honest: TwoTasks) -> None:
    html = render(write_store(honest))["adult/index.html"]
    text = Page(html).text
    assert "on the test set" not in text
    assert "not the official" not in text
    assert 'class="callout"' not in html


def test_rules_definitions_methods_and_provenance_are_on_the_page(page: Page) -> None:
    for words in (
        RANKING_RULE,
        "The epoch with the best mean rank of Odds and EAcc on validation data.",
        "Area under the ROC curve.",
        "Somebody and others (2024), section 4",
        "bench --suite adult --out results",
        "4f2a" * 10,
        "Some CPU; 16 cores, 4 threads a trial",
        "torch 2.13.0",
        "train 32,561; validation 4,000; test 16,281",
        "sha256:0f0f",
        "Last result 2025-03-01 12:45 UTC.",
    ):
        assert words in page.text, words


def test_every_distinct_environment_is_listed(write_store: WriteStore, two_tasks: TwoTasks) -> None:
    plan, results = two_tasks
    first = next(iter(results))
    other = results[first].model_copy(
        update={"environment": environment(git_dirty=True, device="some GPU")}
    )
    text = Page(render(write_store((plan, {**results, first: other})))["adult/index.html"]).text
    assert "2 environments." in text
    assert "78 results from 4f2a4f2a4f2a on cpu" in text
    assert "1 result from 4f2a4f2a4f2a with uncommitted changes on some GPU" in text


def test_only_web_addresses_become_links(write_store: WriteStore, two_tasks: TwoTasks) -> None:
    plan, results = two_tasks
    methods = [m.model_copy(update={"url": "javascript:alert(1)"}) for m in plan.methods]
    hostile = plan.model_copy(update={"methods": methods})
    assert "javascript:" not in render(write_store((hostile, results)))["adult/index.html"]


def test_a_sweep_that_has_not_begun_has_a_page(
    write_store: WriteStore, two_tasks: TwoTasks
) -> None:
    text = Page(render(write_store((two_tasks[0], {})))["adult/index.html"]).text
    assert "0 of 80 trials ended well; 80 not run. No result yet." in text
    assert "seeds 0–4: no result yet" in text


def test_one_seed_has_no_interval_on_the_page(write_store: WriteStore, honest: TwoTasks) -> None:
    plan, results = honest
    once = {key: result for key, result in results.items() if result.seed == 0}
    page = render(write_store((plan, once)))["adult/index.html"]
    assert '<span class="sub">one seed</span>' in page
    assert "1.00 ±" not in Page(page).text


def test_a_store_without_suites_says_what_to_run(tmp_path: Path) -> None:
    written = build(tmp_path / "nothing", tmp_path / "site")
    assert not [path for path in written if path.parent.name not in ("site", "methods")]
    assert "bench --suite digits" in Page(written[0].read_text()).text


def test_pages_of_a_suite_that_is_gone_are_removed_but_not_what_others_put_there(
    store_root: Path, tmp_path: Path
) -> None:
    build(store_root, tmp_path)
    (tmp_path / SUITE / "notes.txt").write_text("mine")
    (tmp_path / SUITE / "results.csv").write_text("changed by hand")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("mine too")
    build(tmp_path / "empty store", tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert {name for name in left if name.startswith(("adult/", "other/"))} == {
        "adult/notes.txt", "adult/results.csv", "other/index.html",
    }  # fmt: skip
    assert {pages.MANIFEST, "index.html"} <= left
    assert not (tmp_path / SUITE / "trials").exists()


def test_an_emptied_folder_goes_too(store_root: Path, tmp_path: Path) -> None:
    build(store_root, tmp_path)
    build(tmp_path / "empty store", tmp_path)
    assert not (tmp_path / SUITE).exists()


@pytest.mark.parametrize("manifest", ["not json", "[]", '{"../outside.txt": "%s"}'])
def test_a_damaged_manifest_removes_nothing(
    manifest: str, store_root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / pages.MANIFEST).write_text(manifest.replace("%s", pages._digest("mine")))
    build(store_root, folder)
    assert outside.read_text() == "mine"
    assert set(json.loads((folder / pages.MANIFEST).read_text())) >= {"index.html"}


def test_a_damaged_result_is_a_plain_error(tmp_path: Path, two_tasks: TwoTasks) -> None:
    root = store_of(tmp_path, *two_tasks)
    next((root / SUITE / "trials").iterdir()).write_text("{")
    with pytest.raises(BenchError, match="not a readable result"):
        build(root, tmp_path / "site")


def test_trials_that_ended_alike_are_told_once(two_tasks: TwoTasks) -> None:
    plan, results = two_tasks
    skipped = {
        key: r.model_copy(update={"status": Status.SKIPPED, "reason": "needs images"})
        if r.method == "mfd"
        else r
        for key, r in results.items()
    }
    task = suite_view(SUITE, plan, skipped).tracks[0].tasks[0]
    assert [(p.seeds, p.reason) for p in task.problems if p.method == "mfd"] == [
        ("seeds 0–4", "needs images")
    ]
    assert task.board.rows[-1].method.label == "mfd"
    assert task.board.rows[-1].place is None


@pytest.mark.parametrize(
    ("summary", "unit", "words"),
    [
        (Summary(5, 0.12345, 0.01, 0.0067), "%", ("12.35", "0.67")),
        (Summary(5, 0.012345, 0.01, 0.00067), "", ("0.01235", "0.00067")),
        (Summary(5, 4675.4, 10.0, 12.0), "", ("4675", "12")),
        (Summary(5, -0.00001, 0.1, 0.1), "%", ("0.00", "10.00")),
        (Summary(2, 2.5e-8, None, None), "", ("2.50e−08", None)),
        (Summary(2, 123.4, 1.0, 2.0), "s", ("123", "2")),
        (Summary(1, 323.0, None, None), "", ("323", None)),  # a count
        (Summary(1, 0.0, None, None), "", ("0", None)),
        (Summary(2, 323.5, 0.7, 6.4), "", ("323.5", "6.4")),
        (Summary(1, 4.0, None, None), "", ("4.000", None)),
    ],
)
def test_numbers_are_written_with_sensible_digits(
    summary: Summary, unit: str, words: tuple[str, str | None]
) -> None:
    assert (wording.mean(summary, unit), wording.half_width(summary, unit)) == words


def test_methods_that_share_a_rank_stand_in_the_order_of_the_first_metric(
    two_tasks: TwoTasks,
) -> None:
    labels = [row.method.label for row in boards(*two_tasks)[0].rows]
    # mfd and bade[strength=auto] share 2, standard and reweighting share 6: lower Odds first.
    assert labels == [
        "bade", "mfd", "bade[strength=auto]", "undersampling",
        "adversarial", "standard", "reweighting", HOSTILE,
    ]  # fmt: skip


def test_small_words() -> None:
    assert wording.signed(0.001, "%") == "0.00"
    assert wording.signed(-1.5, "%") == "−1.50"
    assert wording.published(0.00782, "") == "0.00782"
    assert wording.published(93.8, "%") == "93.80"
    assert wording.seeds([4, 1, 0, 2, 7]) == "seeds 0–2, 4, 7"
    assert wording.rank(Placement(1, True, 1.0)) == "1 ="
    assert wording.moment(datetime(2025, 1, 2, 3, 4)) == "2025-01-02 03:04 UTC"
    assert wording.slugs(["A b", "a/b", "||"]) == {"A b": "a-b", "a/b": "a-b-2", "||": "task"}
