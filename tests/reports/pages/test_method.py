"""A method's page: what it is, what can be set, and its results wherever it was played."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.reports.pages.method import method_views
from bench.reports.pages.rendering import prose
from bench.reports.pages.suite import suite_view
from bench.reports.site import render
from tests.reports.cross_track_sweep import cross_track
from tests.reports.synthetic_sweep import HOSTILE, TwoTasks, store_of


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("cross_track")
    for name in ("faces", "poison"):
        store_of(root, *cross_track(name))
    return render(root)


def test_results_of_all_suites_stand_on_one_page_track_by_track(files: dict[str, str]) -> None:
    page = files["methods/bade.html"]
    tracks = re.findall(r'<h3 id="on-\d">([^<]+)</h3>', page)
    assert tracks == ["Debiasing", "Poisoning, cross-track", "Robust fairness, cross-track"]
    rows = re.findall(r'<a class="value" href="\.\./([^"]+)">([^<]+)</a>', page)
    assert rows == [
        ("faces/index.html#task-faces-sex", "faces|sex"),
        ("poison/index.html#task-digits-under-badnets", "digits under badnets"),
        ("faces/index.html#task-streets-income", "streets|income"),
    ]
    assert "3 entries on boards of 2 suites" in page


def test_a_field_is_told_with_type_default_and_words(files: dict[str, str]) -> None:
    page = files["methods/dro.html"]
    assert (
        '<th scope="row" class="text"><code>strength</code></th><td class="text">full</td>'
        '<td class="text">float or &#39;auto&#39;</td>'
        '<td class="text wide">How far; <code>auto</code> searches.</td>'
    ) in page
    assert "dro, as <code>dro: fit</code> has it." in page
    assert "Robust fairness, method, revision 1." in page


def test_first_places_are_counted_over_boards() -> None:
    views = {v.name: v for v in method_views([suite_view("faces", *cross_track("faces"))])}
    # Odds and EAcc agree on bade. On the many groups dro has the smallest slope, and with two
    # seeds (.04 and .06 against .02 and .02, p = .2) bade shares the place.
    assert {name: view.firsts for name, view in views.items()} == {
        "bade": 2, "dro": 1, "standard": 0,
    }  # fmt: skip
    assert views["dro"].home == "robust_fairness"
    assert views["bade"].suites == ["faces"]


def test_the_highest_revision_describes_the_method() -> None:
    (plan, results), other = cross_track("faces"), cross_track("poison")
    newer = [
        m.model_copy(update={"revision": 2, "summary": "The newer words."})
        for m in other[0].methods
    ]
    views = method_views(
        [
            suite_view("faces", plan, results),
            suite_view("poison", other[0].model_copy(update={"methods": newer}), other[1]),
        ]
    )
    told = {view.name: view.described.summary for view in views}
    assert told["bade"] == "The newer words."
    assert told["dro"] != "The newer words."


def test_every_method_is_listed_with_its_track_and_kind(files: dict[str, str]) -> None:
    page = files["methods/index.html"]
    assert re.findall(r'data-track="(\w+)" data-kind="(\w+)"', page) == [
        ("debiasing", "method"), ("robust_fairness", "method"),
        ("poisoning", "baseline"), ("debiasing", "baseline"),
    ]  # fmt: skip


def test_a_hostile_name_gets_a_harmless_page(two_tasks: TwoTasks, tmp_path: Path) -> None:
    files = render(store_of(tmp_path, *two_tasks))
    page = files["methods/script-alert-1-script.html"]
    assert HOSTILE not in page
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>" in page


def test_a_suite_may_not_take_the_folder_of_the_methods(
    two_tasks: TwoTasks, tmp_path: Path
) -> None:
    plan, _ = two_tasks
    store_of(tmp_path, plan.model_copy(update={"suite": "methods"}), {})
    with pytest.raises(BenchError, match='suite "methods": the pages need this folder'):
        render(tmp_path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("set `a` and `b<c`", "set <code>a</code> and <code>b&lt;c</code>"),
        ("one ` alone & no code", "one ` alone &amp; no code"),
        ("<b>`x`", "&lt;b&gt;<code>x</code>"),
        (
            "the *other* group, 2 * 3 * 4, `*args*`",
            "the <em>other</em> group, 2 * 3 * 4, <code>*args*</code>",
        ),
    ],
)
def test_prose_shows_code_between_backticks_and_escapes_the_rest(text: str, shown: str) -> None:
    assert prose(text) == shown
