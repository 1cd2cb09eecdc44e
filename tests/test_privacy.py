"""Nothing private is published: secrets, folders, and the names of the user and the machine."""

from __future__ import annotations

import base64
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import quote

import pytest
import typer

from bench.attacks.poisoning.contract import attacks
from bench.cli import main
from bench.method import methods
from bench.privacy import masked, public, public_command, public_name
from bench.privacy.credentials import SENSITIVE_NAME

ROOT = Path(__file__).parents[1]
SECRETS = {name: f"pl4nted-{name}" for name in ("password", "query", "token", "proxy", "value")}
"""Texts that nobody may read anywhere, by where they are planted."""
USER, HOST = "alice-planted", "planted-host"
URI = f"postgresql+psycopg2://me:{SECRETS['password']}@127.0.0.1:1/db?password={SECRETS['query']}"
PLUGIN = '''
"""A method that fails and tells all that it knows."""

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.method import Paper
from bench.tracks.debiasing.contract import Debiaser


@dataclass(frozen=True)
class Telling(Debiaser):
    """It cannot keep a secret."""

    paper: ClassVar[Paper] = Paper("A", "B")
    file: str = ""

    def fit(self, task, context):
        home, here = Path.home(), Path(__file__)
        uri = os.environ["MLFLOW_S3_ENDPOINT_URL"]
        logging.getLogger("telling").warning("read %s of %s with %s", here, home, uri)
        warnings.warn(f"{home}/settings.toml of {os.environ['USER']}: {dict(os.environ)}")
        raise RuntimeError(f"{locals()} at {home / 'secret plans' / 'x.txt'} {self.file}")
'''
SUITE = """
title: Telling
description: A method that tells everything.
seeds: 1
training: {epochs: 1, batch_size: 256, learning_rate: 1.0e-3, backbone: small_cnn}
tasks: [{data: digits, task: parity|ink}]
methods: [standard, telling]
"""
DRIVER = """
import os, socket, sys
from bench.cli import main
for line in sys.stdin.read().splitlines():
    sys.argv = ["bench", *line.split("\\t")]
    try:
        main.main()
    except SystemExit as end:
        print("ended with", end.code)
"""


def told_by(*lines: str) -> str:
    return "\n".join(line.replace(" ", "\t") for line in lines)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which a sweep and every other command ran, and all that they printed."""
    root = tmp_path_factory.mktemp("planted-folder")
    home, work = root / "homes" / USER, root / "work"
    for folder in (home / "plugins", work, root / "temporary"):
        folder.mkdir(parents=True)
    (home / "plugins" / "telling.py").write_text(PLUGIN)
    (home / "telling_suite.yaml").write_text(SUITE)
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "PYTHONPATH": str(ROOT / "src"), "HOME": str(home), "TMPDIR": str(root / "temporary"),
        "USER": USER, "LOGNAME": USER, "HOSTNAME": HOST,
        "BENCH_PLUGINS": str(home / "plugins"), "BENCH_DATA": str(home / "data"),
        "BENCH_MIRROR": f"https://me:{SECRETS['password']}@127.0.0.1:1/mirror",
        "BENCH_GIT_SHA": SECRETS["value"],
        "MLFLOW_TRACKING_PASSWORD": SECRETS["password"], "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_TOKEN": SECRETS["token"], "DATABRICKS_TOKEN": SECRETS["token"],
        "AWS_SECRET_ACCESS_KEY": SECRETS["value"],
        "MLFLOW_S3_ENDPOINT_URL": f"https://me:{SECRETS['proxy']}@127.0.0.1:1/?sig={SECRETS['query']}",
        "NO_PROXY": "*", "OMP_NUM_THREADS": "1", "COLUMNS": "300",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
                        f"http://me:{SECRETS['proxy']}@127.0.0.1:1"),
    }  # fmt: skip
    suite = f"--suite {home}/telling_suite.yaml"
    commands = told_by(
        f"{suite} --tracking-uri {URI} --set telling.file={home}/weights.pth --jobs 1",
        f"{suite} --set telling.file={URI} --dry-run",
        f"{suite} --set telling.token={SECRETS['token']}",
        "log",
        f"log --tracking-uri {URI}",
        "export telling_suite --to tables/results.csv",
        "publish --to public --yes --url https://example.org/",
        f"publish --to public --url https://me:{SECRETS['password']}@127.0.0.1/",
        "compare results results --to comparison.html",
        "merge results --into merged",
        f"ui --tracking-uri http://me:{SECRETS['password']}@127.0.0.1:1/?token={SECRETS['query']}",
    )
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER], input=commands, env=environment, cwd=work, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
    )  # fmt: skip
    return root, ended.stdout


def needles(root: Path) -> list[str]:
    texts = [*SECRETS.values(), USER, HOST, str(root), root.name]
    return [spelling for text in texts for spelling in {text, quote(text, safe="")}]


def contents(path: Path) -> Iterator[str]:
    """All that a file says, also what its database or base64 holds."""
    if path.suffix == ".db":
        with sqlite3.connect(path) as database:
            text = "\n".join(database.iterdump())
    else:
        text = path.read_bytes().decode("utf-8", "replace")
    yield text
    for run in re.findall(r"[A-Za-z0-9+/]{24,}", text):
        for start in range(4):  # wherever in the run it begins
            piece = run[start : start + (len(run) - start) // 4 * 4]
            yield base64.b64decode(piece).decode("utf-8", "replace")


def test_the_sweep_and_the_commands_after_it_did_what_they_should(
    published: tuple[Path, str],
) -> None:
    """Otherwise the next test would search in nothing."""
    root, printed = published
    ends = re.findall(r"ended with (\d+)", printed)
    assert ends == ["1", "0", "2", "0", "2", "0", "0", "2", "0", "0", "0"], printed
    result = next(
        text for path in (root / "work" / "results").glob("*/trials/*.json")
        if "RuntimeError" in (text := path.read_text())
    )  # fmt: skip
    for kept in ("telling.py", "x.txt", "settings.toml", "bench/", "***", "weights.pth"):
        assert kept in result, result
    plan = (root / "work" / "results" / "telling_suite" / "plan.json").read_text()
    assert "postgresql+psycopg2://***@127.0.0.1:1/db?password=***" in plan
    assert "--suite telling_suite.yaml" in plan
    assert "postgresql+psycopg2://***@127.0.0.1:1/db?password=***" in printed


def test_no_file_and_no_line_tells_a_secret_a_folder_or_a_name(
    published: tuple[Path, str],
) -> None:
    root, printed = published
    files = [path for path in (root / "work").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".json", ".html", ".db", ".csv", ".xml"}
    leaks = {
        f"{path.relative_to(root)}: {needle}: {text[max(0, text.find(needle) - 80) :][:160]!r}"
        for path in files
        for text in contents(path)
        for needle in needles(root)
        if needle in text
    }
    assert leaks == set()
    assert [line for line in printed.splitlines() for n in needles(root) if n in line] == []


FAULTY = """
import os
def fail():
    raise RuntimeError(f"{dict(os.environ)} in {__file__}")
def stop():
    raise SystemExit(f"{dict(os.environ)} in {__file__}")
"""
CALLER = """
import sys
from bench.ending import conclude
from bench.runner.template import Template
def main():
    with Template() as template:
        template.call(sys.argv[1])
if __name__ == "__main__":
    conclude(main)
"""


@pytest.mark.parametrize("function", ["fail", "stop"])
def test_a_fault_of_a_child_process_tells_nothing_either(tmp_path: Path, function: str) -> None:
    """One that the parent raises again, and one that the child itself prints."""
    folder = tmp_path / "planted-folder" / USER
    folder.mkdir(parents=True)
    (folder / "faulty.py").write_text(FAULTY)
    (folder / "caller.py").write_text(CALLER)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'src'}:{folder}", "HOME": str(folder),
        "USER": USER, "HOSTNAME": HOST, "MLFLOW_TRACKING_PASSWORD": SECRETS["password"],
        "MLFLOW_TRACKING_URI": URI,
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, str(folder / "caller.py"), f"faulty:{function}"], env=environment,
        cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert ended.returncode == 70, ended.stdout
    assert f", in {function}" in ended.stdout
    assert "MLFLOW_TRACKING_PASSWORD" in ended.stdout
    assert [n for n in needles(folder.parent) if n in ended.stdout] == [], ended.stdout


def values_of_the_command_line() -> list[tuple[str, ...]]:
    """Every option and argument of every command that takes a value."""
    found = []
    command = typer.main.get_command(main.app)
    commands = {(): command}
    for name, inner in command.commands.items():  # type: ignore[attr-defined]
        commands |= {(name,): inner}
        for below, innermost in getattr(inner, "commands", {}).items():
            commands |= {(name, below): innermost}
    for words, each in commands.items():
        for parameter in each.params:
            if not getattr(parameter, "is_flag", False):
                option = parameter.opts[-1] if parameter.param_type_name == "option" else ""
                found.append((*words, option))
    return found


@pytest.mark.parametrize("words", values_of_the_command_line(), ids=" ".join)
def test_no_option_repeats_a_secret_in_its_complaint(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """An option added tomorrow is found by itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    *command, option = words
    required = {"merge": ["a", "--into", "b"], "publish": ["--to", "x"], "compare": ["a", "b"],
                "label": ["digits"], "prepare": ["digits"], "": ["--suite", "digits", "--dry-run"],
                "get": ["digits"], "check": ["digits"], "show": ["bade"]}  # fmt: skip
    rest = required.get(command[-1] if command else "", [])
    planted = [option, URI] if option else [URI]
    rest = rest if option else [word for word in rest if not word.isalpha()]
    if command == ["ui"]:  # it would start a server
        planted = ["--tracking-uri", URI.replace("postgresql+psycopg2", "http")]
    monkeypatch.setattr(sys, "argv", ["bench", *command, *planted, *rest])
    with pytest.raises(SystemExit):
        main.main()
    printed = capfd.readouterr()
    for secret in SECRETS.values():
        assert secret not in printed.out + printed.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mysql+pymysql://u:p@h/db?password=x", "mysql+pymysql://***@h/db?password=***"),
        ("mysql://u:p@ss/w@rd@host/db?ssl=x, no", "mysql://***@host/db?ssl=***, no"),
        ("postgresql://u:p%40ss%2Fw@host/db", "postgresql://***@host/db"),
        (f"databricks://token:dapi{'0' * 32}@h.com", "databricks://***@h.com"),
        (f"it was dapi{'0' * 32}.", "it was ***."),
        ("https://h/x?a=1&sig=abc#t=1", "https://h/x?a=***&sig=***#t=***"),
        ("https://pytorch.org/docs/x.html#torch.nn", "https://pytorch.org/docs/x.html#torch.nn"),
        ("git clone https://ghp_x@github.com/a/b.git", "git clone https://***@github.com/a/b.git"),
        ("me:pw@host refused", "***@host refused"),
        ("{'password': 'a b', 'n': 1}", "{'password': ***, 'n': 1}"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("income|sex, 1/2 and/or n/a", "income|sex, 1/2 and/or n/a"),
    ],
)  # fmt: skip
def test_credentials_are_masked_and_nothing_else(text: str, expected: str) -> None:
    assert masked(text) == expected
    assert public(text) == expected
    assert masked(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('File "/a b/lib/python3.11/site-packages/torch/x.py"', 'File "site-packages/torch/x.py"'),
        ('File "/usr/lib/python3.11/json/decoder.py"', 'File "python3.11/json/decoder.py"'),
        (f'File "{ROOT}/src/bench/runner/plan.py"', 'File "bench/runner/plan.py"'),
        (f'File "{ROOT}/methods/bade.py"', 'File "bench/methods/bade.py"'),
        ("PosixPath('/opt/my plans/x.py')", "PosixPath('x.py')"),
        ("/a/b:/c/d=/e/f", "b:d=f"),
        ("sqlite:////srv/x/mlflow.db?a=b", "sqlite:///mlflow.db?a=***"),
        ("file:///srv/x/mlruns", "file:///mlruns"),
        ("http://host/api/2.0/runs", "http://host/api/2.0/runs"),
        (r"C:\Users\bob\x.py", "x.py"),
        ("results/digits/plan.json", "results/digits/plan.json"),
    ],
)
def test_folders_are_left_out(text: str, expected: str) -> None:
    assert public(text) == expected
    assert public(expected) == expected


def test_a_password_is_known_in_every_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pr%40xy/pw@proxy:3128")
    monkeypatch.setattr(sys, "argv", ["bench", "--tracking-uri", "mysql://u:from argv@h/d"])
    assert public("pr@xy/pw, pr%40xy/pw, pr%40xy%2Fpw; from argv") == "***, ***, ***; ***"


def test_a_command_keeps_its_words_and_loses_what_is_private() -> None:
    words = ["bench", "--suite", "/srv/my suites/x.yaml", "--tracking-uri=mysql://u:a b@h/d?x=y",
             "--set", "m.password=3", "--set", "bade.strength=0.5", "--tasks", "income|sex",
             "--out", "../results"]  # fmt: skip
    assert public_command(words) == (
        "bench --suite x.yaml '--tracking-uri=mysql://***@h/d?x=***' --set 'm.password=***' "
        "--set bade.strength=0.5 --tasks 'income|sex' --out ../results"
    )


def test_no_hyperparameter_is_taken_for_a_secret_and_labels_stay_as_they_are() -> None:
    for cls in (*methods().values(), *attacks().values()):
        names = [field.name for field in fields(cls)]
        assert not [name for name in names if SENSITIVE_NAME.search(name)]
    assert public_name("bade[mask_token=5,strength=auto]") == "bade[mask_token=5,strength=auto]"


@pytest.mark.parametrize(
    "part",
    ["z", "-", "a.", "-eyJaaaaaaaa", "token", "token='", "/a", "'/a", "a:", "c:\\a", "http://",
     "&a=b", "a:b@", "sk-", "~/", "password" + 50 * " "],
)  # fmt: skip
def test_long_texts_take_time_by_their_length_alone(part: str) -> None:
    def seconds(characters: int) -> float:
        begun = time.process_time()
        public(part * (characters // len(part)))
        return time.process_time() - begun

    assert seconds(300_000) < 30 * seconds(30_000) + 0.5  # by the square it would be 100 times
