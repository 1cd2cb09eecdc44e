"""Options, suites, results, plans, tags and manifests that are damaged or hostile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.cli.main import parse_seeds, parse_settings
from bench.disk.digests import sha256_of
from bench.reports.publish import Folder
from bench.reports.site import MANIFEST, manifest
from bench.result import Store
from bench.suites.reader import find_suite, read_suite, suite_names
from bench.tracks.poisoning.human import Recorded
from tests.fuzz.damage import WORDS, altered, damaged
from tests.fuzz.trying import attempt, bench, inputs, workplace
from tests.labelling.label_examples import make_labelling, make_queue
from tests.reports.synthetic_sweep import RACE, SEX, planned_task, store_of, sweep

YAML_WORDS = [
    b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"---\n", b"%YAML 1.1\n", b"? ", b"\t",
    b"- ", b"{", b"[", b"|\n", b">\n", b"'", b'"', b"\xef\xbb\xbf", b"\xff\xfe", b"#", b"9" * 400,
    b"1:1:1", b"0o7", b".inf", b"~", b"\0", b"\x85",
]  # fmt: skip
JSON_WORDS = [b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b'"\\ud800"', b"[" * 3000, b"{", b"\0",
              b'"x":', b",", b"\xff", b"null"]  # fmt: skip
TOY = """\
title: Toy
seeds: 2
training: {backbone: small_cnn, epochs: 2}
tasks:
  - {data: digits, task: parity|ink, matrix: {correlation: [0.8, 0.9]}}
  - {data: digits, task: parity|ink, attack: {badnets: {rate: 0.1}}, training: {selection: last}}
methods:
  - standard
  - bade: {strength: 0.5}
  - labor: {matrix: {most: [2, 3]}}
figures:
  - {kind: line, title: Odds, x: correlation, values: [odds]}
"""
LETTERS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(st.data())
@inputs(25)
def test_a_suite_is_read_or_its_fault_is_told(data: st.DataObject) -> None:
    whole = st.sampled_from([TOY, *(path.read_text() for path in suite_names().values())])
    text = data.draw(whole)
    content = data.draw(
        st.one_of(damaged(text.encode(), YAML_WORDS), altered(yaml.safe_load(text)).map(str.encode))
    )
    with workplace():
        Path("toy.yaml").write_bytes(content)
        attempt(lambda: read_suite(Path("toy.yaml")))


@given(st.one_of(damaged(TOY.encode(), YAML_WORDS), altered(yaml.safe_load(TOY)).map(str.encode)))
@inputs(15)
def test_a_suite_is_planned_or_its_fault_is_told(content: bytes) -> None:
    with workplace():
        Path("toy.yaml").write_bytes(content)
        code = bench("--suite", "toy.yaml", "--dry-run", "--no-track")
        assert code == 0 or content != TOY.encode()
        assert not Path("results/toy/trials").exists()


@given(
    st.sampled_from(["bade", "training", "labor", "", "x"]),
    st.sampled_from(["strength", "epochs", "matrix", "tags", "weights", "", "x"]),
    st.one_of(LETTERS, st.sampled_from([str(word) for word in WORDS])),
)
@inputs(40)
def test_a_setting_is_taken_or_its_fault_is_told(owner: str, field: str, value: str) -> None:
    def read() -> None:
        read_suite(find_suite("labor_table_3"), parse_settings([f"{owner}.{field}={value}"]))

    attempt(read)


@given(st.lists(st.one_of(LETTERS, st.sampled_from(
    ["--suite", "--seeds", "--set", "--methods", "--tasks", "--jobs", "--timeout", "--out", "--to",
     "digits", "list", "show", "compare", "export", "merge", "data", "check", "-1", "0", "nan"])),
    max_size=4))  # fmt: skip
@inputs(15)
def test_a_command_line_is_obeyed_or_its_fault_is_told(arguments: list[str]) -> None:
    with workplace():
        bench("--dry-run", *arguments)


@given(st.text("0123456789,- x²٣", max_size=30))
@inputs(100)
def test_seeds_are_taken_or_refused(text: str) -> None:
    attempt(lambda: parse_seeds(text))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results."""
    plan, results = sweep(planned_task(SEX), planned_task(RACE))
    return store_of(tmp_path_factory.mktemp("finished") / "results", plan, results)


@given(st.data())
@inputs(60)
def test_a_damaged_result_or_plan_ends_a_command_in_one_line(
    finished: Path, data: st.DataObject
) -> None:
    [suite] = Store(finished).suites()
    paths = sorted(path.relative_to(finished) for path in finished.rglob("*.json"))
    plan = next(path for path in paths if path.name == "plan.json")
    path = data.draw(st.one_of(st.just(plan), st.sampled_from(paths)))
    content = (finished / path).read_bytes()
    new = data.draw(
        st.one_of(
            damaged(content, JSON_WORDS),
            altered(yaml.safe_load(content)).map(lambda text: text.encode("utf-8", "replace")),
        )
    )
    command = data.draw(
        st.sampled_from(
            [
                ["export"],
                ["export", "--format", "latex"],
                ["merge", "results", "--into", "both"],
                ["compare", "results", "results"],
                ["compare", "results", "whole"],
                ["merge", "whole", "results", "--into", "both", "--prefer", "newest"],
                ["report"],
            ]
        )
    )
    with workplace() as folder:
        shutil.copytree(finished, "results")
        Path("whole").symlink_to(finished)
        (Path("results") / path).write_bytes(new)
        code = bench(*command)
        written = {path.name for path in folder.iterdir()} - {"results", "whole"}
        assert written <= {"both", "site"}
        if code == 2 and command[0] == "merge":
            assert not list(Path("both").rglob("*.json"))
    assert suite


@given(st.data())
@inputs(40)
def test_damaged_tags_are_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content: dict[str, Any] = {
        "suite": "s", "task": "t", "method": "labor", "seed": 0, "data": "x", "classes": ["0", "1"],
        "started": "2026-01-01T00:00:00+00:00", "finished": None, "tags": {"3": "1", "7": "unsure"},
    }  # fmt: skip
    text = data.draw(
        st.one_of(
            altered(content).map(lambda text: text.encode("utf-8", "replace")),
            damaged(str(content).replace("'", '"').replace("None", "null").encode(), JSON_WORDS),
        )
    )
    folder = tmp_path_factory.mktemp("tags")
    path = folder / "tags.json"
    path.write_bytes(text)
    attempt(lambda: Recorded(path, ("0", "1"), {"seed": 0}))
    attempt(lambda: make_labelling(folder, make_queue()))
    assert path.read_bytes() == text


@given(st.data())
@inputs(40)
def test_a_damaged_manifest_is_told_and_nothing_is_removed(data: st.DataObject) -> None:
    whole = {"index.html": "0" * 64, "digits/index.html": "1" * 64}
    text = data.draw(
        st.one_of(
            altered(whole).map(lambda text: text.encode("utf-8", "replace")),
            damaged(manifest(whole).encode(), [*JSON_WORDS, b"../x", b"/etc/x", b"a/../../b"]),
        )
    )
    with workplace() as folder:
        (folder / "outside.html").write_text("somebody else's")
        (folder / "pages").mkdir()
        (folder / "pages" / MANIFEST).write_bytes(text)
        (folder / "pages" / "CNAME").write_text("example.org")
        (folder / "new.html").write_text("new")
        (folder / MANIFEST).write_text(manifest({"new.html": sha256_of(folder / "new.html")}))
        files = {name: folder / name for name in ("new.html", MANIFEST)}
        attempt(lambda: Folder(folder / "pages").publish(files))
        assert (folder / "outside.html").read_text() == "somebody else's"
        assert (folder / "pages" / "CNAME").read_text() == "example.org"
