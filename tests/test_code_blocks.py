"""Every code block of the documents is tried, each in the way that its language allows.

Commands of `bench` are parsed by its real options and then run, on results and folders that stand
in for those of the reader; of sweeps the suite is read and the trials are selected. A block that is
no example (what a program prints) says so in a comment before it, `<!-- not run: WHY -->`, and
stands in NOT_RUN. Other comments before blocks are for tests that do more (TRIED_ELSEWHERE).
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from rich.console import Console
from typer.exceptions import TyperException

from bench.cli import main
from bench.ending import exit_code
from bench.runner.plan import select
from bench.runner.sweep import SweepRequest
from bench.suites.reader import find_suite, read_suite
from bench.tracking import ui
from tests.reports.synthetic_sweep import RACE, SEX, planned_task, store_of, sweep

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md",
             *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]  # fmt: skip

NOT_RUN = {"docs/plugins.md": "what bench says of a faulty plug-in"}
"""The blocks that no test tries: document -> why, as the comment before the block says."""
TRIED_ELSEWHERE = {"CONTRIBUTING.md": "file|append|run", "docs/plugins.md": "example"}
"""Document -> comments of the blocks that test_contributing.py and test_plugins.py follow."""

STAND_INS = {
    "NAME": "digits", "[--option": "--option", "size=224]": "correlation=0.8",
    "/srv/www/bench": "www", "/my/folder": "plugins", "...": "mnist digit under badnets",
}  # fmt: skip
"""What a reader puts in place, and what the test does."""
SERVERS = ("ui", "label")
"""Commands that run until they are stopped: their options are read, and they are not started."""


class Block(NamedTuple):
    """A code block of a document."""

    document: str
    line: int
    comment: str
    language: str
    text: str

    def __str__(self) -> str:
        """The name of its test."""
        return f"{self.document}:{self.line}"


def blocks(document: str) -> Iterator[Block]:
    text = (ROOT / document).read_text(encoding="utf-8")
    fence = re.compile(r"(?:^<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    for found in fence.finditer(text):
        comment, language, body = found.groups()
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(document, line, comment or "", language, body)


BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
OURS = [
    block
    for block in BLOCKS
    if not re.match(rf"({TRIED_ELSEWHERE.get(block.document, '(?!)')}|not run)\b", block.comment)
]


def test_every_block_is_found_and_only_the_listed_ones_are_left_out() -> None:
    for document in DOCUMENTS:
        fences = re.findall(r"^\s*```", (ROOT / document).read_text("utf-8"), re.MULTILINE)
        assert len(fences) == 2 * sum(block.document == document for block in BLOCKS), document
    left_out = [(b.document, b.comment) for b in BLOCKS if b.comment.startswith("not run")]
    assert left_out == [(name, f"not run: {why}") for name, why in NOT_RUN.items()]


def commands(text: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Environment and words of every command of a shell block."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in [*lexer, "&&"]:
            if word == "&&":
                assigned = [w for w in words if re.match(r"[A-Z_]+=", w)]
                first = next((i for i, w in enumerate(words) if w not in assigned), len(words))
                if words:
                    yield dict(w.split("=", 1) for w in words[:first]), words[first:]
                words = []
            else:
                words.append(word)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a reader who has results of today, of yesterday and of other machines."""
    plan, results = sweep(planned_task(SEX), planned_task(RACE))
    today, commits = tmp_path / "today", ("4f2a91c" + "0" * 33, "9b03e77" + "0" * 33)
    for number, (key, result) in enumerate(results.items()):
        assert result.environment is not None or result.status != "ok"
        if result.environment is not None:
            sha = commits[number % 2]
            environment = result.environment.model_copy(update={"git_sha": sha})
            results[key] = result.model_copy(update={"environment": environment})
    store_of(today / "results", plan, results)
    for copy in ("other", "main-results", "here", "there", "../yesterday/results"):
        shutil.copytree(today / "results", today / copy)
    (today / "plugins").mkdir()
    [tags] = [b.text for b in BLOCKS if (b.document, b.language) == ("docs/labelling.md", "json")]
    (today / "my_tags.json").write_text(tags)
    monkeypatch.chdir(today)
    monkeypatch.setenv("COLUMNS", "200")
    return today


def planned(request: SweepRequest, console: Console) -> int:
    """In place of a sweep: its suite is read, and tasks, methods and seeds are selected."""
    suite = read_suite(find_suite(request.suite), request.settings)
    assert select(suite, request.tasks, request.methods, request.seeds).tasks
    return 0


def run_bench(words: list[str], environment: Mapping[str, str]) -> None:
    """Parse a command by the real options, and run it where it ends by itself."""
    words = [STAND_INS.get(word, word) for word in words]
    environment = {name: STAND_INS.get(value, value) for name, value in environment.items()}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        if words[:1] and words[0] in SERVERS:
            patch.setattr("bench.tracking.tracker.serve", lambda *_: 0)
            patch.setattr("bench.labelling.command.label", lambda *_: None)
        patch.setattr("bench.runner.sweep.run", planned)
        patch.setattr(sys, "argv", ["bench", *words])
        allowed = (0, 1) if "--fail-on-worse" in words else (0,)
        assert exit_code(main.run) in allowed, shlex.join(words)


def check_make(words: list[str]) -> None:
    done = subprocess.run(
        ["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


DOCKER_RUN = {"--rm": 0, "--init": 0, "--read-only": 0, "--tmpfs": 1, "--cap-drop": 1, "-v": 1,
              "--security-opt": 1, "--user": 1, "-p": 1}  # fmt: skip
LOCKED = "--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges"


def check_docker(words: list[str]) -> None:
    """The options of docker that we use, and in a container a command of bench."""
    verb, *rest = words
    if verb == "build":
        dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
        assert rest[-1] == "."
        for option, value in zip(rest[:-1:2], rest[1:-1:2], strict=True):
            assert option in ("-t", "--build-arg")
            assert option == "-t" or re.search(rf"^ARG {value.split('=')[0]}=", dockerfile, re.M)
        return
    assert verb == "run"
    while rest[0].startswith("-"):
        assert rest[0] in DOCKER_RUN, rest[0]
        del rest[: 1 + DOCKER_RUN[rest[0]]]
    assert rest[0] == "bench"
    assert LOCKED in " ".join(words), "not as SECURITY.md says"
    run_bench(rest[1:], {})


def check_others(words: list[str]) -> None:
    known = {
        ". .venv/bin/activate", "mkdir -p out",
        "dvc repro",  # tests/test_dvc.py runs it
    }  # fmt: skip
    assert " ".join(words) in known or words[:2] == ["mlflow", "server"], words


@pytest.mark.parametrize("block", [b for b in OURS if not b.language], ids=str)
def test_a_block_of_commands_runs(block: Block, reader: Path) -> None:
    if block.text.startswith("tags."):  # what a person types into MLflow
        assert block.text.splitlines() == list(ui.searches(reader / "nothing").values())
        return
    for environment, words in commands(block.text):
        program, *arguments = words
        if program == "bench":
            run_bench(arguments, environment)
        elif program == "make":
            check_make(arguments)
        elif program == "docker":
            check_docker(arguments)
        else:
            check_others(words)


@pytest.mark.parametrize("text", [
    "bench --sweet adult", "bench --suite adlut", "bench exprot", "bench show nothing",
    "bench data get", "bench list && bench show", "make nothing", "docker run bench list",
    "docker build -t bench --build-arg TROCH=gpu .", "rm -rf nothing",
])  # fmt: skip
def test_a_command_that_is_wrong_is_noticed(text: str, reader: Path) -> None:
    with pytest.raises((AssertionError, TyperException)):
        test_a_block_of_commands_runs(Block("", 0, "", "", text), reader)


@pytest.mark.slow
def test_options_of_programs_of_others_exist() -> None:
    from mlflow.cli import cli  # noqa: PLC0415 - takes seconds

    used = [words for b in OURS if not b.language for _, words in commands(b.text)]
    [server] = [words for words in used if words[0] == "mlflow"]
    command = cli.commands[server[1]]
    assert command.make_context("server", server[2:], resilient_parsing=True)
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in server if word.startswith("--")} <= options


def suite_of(text: str) -> dict[str, Any]:
    """A suite, or what a suite needs around a part of one."""
    part = dict(yaml.safe_load(text))
    methods = {name for task in part["tasks"] for name in task.get("methods", [])}
    return {"title": "A part", "methods": sorted(methods), "seeds": 1} | part


@pytest.mark.parametrize("block", [b for b in OURS if b.language], ids=str)
def test_a_block_of_data_is_what_it_claims_to_be(block: Block, tmp_path: Path) -> None:
    if block.language == "yaml":
        path = tmp_path / "suite.yaml"
        path.write_text(yaml.safe_dump(suite_of(block.text)))
        suite = read_suite(find_suite(str(path)), {})
        assert suite.tasks
    elif block.language == "json":
        assert json.loads(block.text)
    elif block.language == "toml":
        assert tomllib.loads(block.text)["project"]["entry-points"]["bench.plugins"]
    else:
        assert block.language == "python"
        exec(compile(block.text, str(block), "exec"), {})  # noqa: S102 - our own document
