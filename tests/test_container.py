"""The image: what its files promise, and, where an engine is to be had, a build and real runs."""

import json
import os
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Its instructions and their arguments, in order, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def last(instructions: list[tuple[str, str]], word: str) -> str:
    return [rest for name, rest in instructions if name == word][-1]


def test_the_base_image_is_pinned(dockerfile):
    name, _, base = dockerfile[0][1].partition("=")
    assert (dockerfile[0][0], name) == ("ARG", "PYTHON_IMAGE")
    assert re.search(r"python:3\.\d+(\.\d+)?-slim-[a-z]+@sha256:[0-9a-f]{64}$", base)
    stages = {rest.split(" AS ")[-1] for word, rest in dockerfile if word == "FROM"}
    bases = {rest.split(" AS ")[0] for word, rest in dockerfile if word == "FROM"}
    assert bases <= {"${PYTHON_IMAGE}"} | stages


def test_the_user_is_not_root(dockerfile):
    assert int(last(dockerfile, "USER").split(":")[0]) > 0


def test_the_entry_point_is_bench_without_a_shell(dockerfile):
    assert json.loads(last(dockerfile, "ENTRYPOINT")) == ["bench"]


def test_cpu_is_the_default_and_the_commit_comes_last(dockerfile):
    assert ("ARG", "TORCH=cpu") in dockerfile
    assert ("ARG", "TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu") in dockerfile
    after = dockerfile[dockerfile.index(("ARG", "GIT_SHA=")) :]
    assert not {"RUN", "COPY"} & {word for word, _ in after}, "a commit must not rebuild a layer"
    assert ("ENV", "BENCH_GIT_SHA=${GIT_SHA}") in after


def sent_to_the_engine(path: str) -> bool:
    """Docker's rule: the last pattern that fits the path, or a folder it lies in, decides."""
    inside = True
    parents = [str(parent) for parent in Path(path).parents][:-1]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        names = [path, *parents]
        if pattern.lstrip("!").startswith("**/"):
            names = [part for name in names for part in name.split("/")]
        wanted = pattern.lstrip("!").removeprefix("**/")
        if any(fnmatch(name, wanted) for name in names):
            inside = pattern.startswith("!")
    return inside


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        ".env",
        ".dvc/cache/files/md5/00",
        "data/adult/raw/adult.data",
        "results/digits/trials/0.json",
        "results/mlflow.db",
        "site/index.html",
        "mlartifacts/1/model.safetensors",
        "tests/test_container.py",
        "benchmarks/__pycache__/cli.cpython-311.pyc",
        "a-folder-of-tomorrow/weights.safetensors",
    ],
)
def test_the_build_does_not_see(path):
    assert not sent_to_the_engine(path)


def test_the_build_sees_all_that_it_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = ["pyproject.toml", "requirements/common.txt", project["project"]["readme"]]
    needed += project["project"]["license-files"]
    needed += [f"{folder}/__init__.py" for folder in ("methods", "baselines", "reports")]
    needed += ["src/bench", "benchmarks/__init__.py", "benchmarks/methods"]  # links, and code
    needed += ["benchmarks/data/dataset.py", "benchmarks/suites/digits.yaml"]
    needed += ["reports/pages/CITATION.cff", "CITATION.cff"]  # a link, and what it leads to
    assert [path for path in needed if not sent_to_the_engine(path)] == []
    assert all((ROOT / path).exists() for path in needed)


@pytest.fixture(scope="module")
def services() -> dict[str, dict]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_bench_and_mlflow_share_one_image_and_one_volume_at_one_place(services):
    assert set(services) == {"bench", "mlflow"}
    assert services["bench"]["image"] == services["mlflow"]["image"]
    assert services["bench"]["volumes"] == services["mlflow"]["volumes"] == ["out:/out"]
    assert services["bench"]["command"] == ["--suite", "digits"]


def test_containers_are_read_only_and_have_no_rights(services):
    added = yaml.safe_load((ROOT / "compose.postgres.yaml").read_text())["services"]
    for name, service in {**services, "postgres": added["postgres"]}.items():
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name  # noqa: S108 - of the container
        assert service["cap_drop"] == ["ALL"], name
        assert any(o.startswith("no-new-privileges") for o in service["security_opt"]), name
        assert "privileged" not in service, name
    assert {name for name, s in {**services, **added}.items() if "cap_add" in s} == {"postgres"}


def test_mlflow_is_published_on_this_machine_alone(services):
    assert services["mlflow"]["ports"]
    assert all(port.startswith("127.0.0.1:") for port in services["mlflow"]["ports"])
    assert "ports" not in services["bench"]


def test_on_postgresql_the_database_is_reached_by_mlflow_alone():
    text = (ROOT / "compose.postgres.yaml").read_text()
    added = yaml.safe_load(text)["services"]
    assert not {"ports"} & {key for service in added.values() for key in service}
    assert "://mlflow@postgres/mlflow" in str(added["mlflow"]["command"])
    assert added["bench"]["environment"]["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"


def test_the_password_of_the_database_is_a_secret_file_alone():
    whole = yaml.safe_load((ROOT / "compose.postgres.yaml").read_text())
    services, mounted = whole["services"], "/run/secrets/postgres_password"
    assert set(whole["secrets"]["postgres_password"]) == {"file"}
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"] == mounted
    assert mounted in str(services["mlflow"]["entrypoint"])
    for name in ("postgres", "mlflow"):
        assert services[name]["secrets"] == ["postgres_password"]
    assert "secrets" not in services["bench"]
    variables = [name for one in services.values() for name in one.get("environment", {})]
    assert [name for name in variables if name.endswith("PASSWORD")] == []
    assert not sent_to_the_engine("postgres-password")


def test_mlflow_hands_the_password_on_in_a_file_that_its_user_alone_can_read(tmp_path):
    added = yaml.safe_load((ROOT / "compose.postgres.yaml").read_text())["services"]["mlflow"]
    secret, file, tools = tmp_path / "secret", tmp_path / "pgpass", tmp_path / "bin"
    secret.write_text("a:b\\c'd $e\n")
    tools.mkdir()
    (tools / "bench").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tools / "bench").chmod(0o755)
    words = [word.replace("$$", "$") for word in added["entrypoint"]]  # as Compose reads them
    words = [word.replace("/run/secrets/postgres_password", str(secret)) for word in words]
    ran = subprocess.run(
        [*words, *added["command"]], capture_output=True, text=True, check=True,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "PGPASSFILE": str(file)},
    )  # fmt: skip
    assert ran.stdout == "".join(f"{word}|" for word in added["command"])
    assert file.read_text() == "postgres:5432:mlflow:mlflow:a\\:b\\\\c'd $e\n"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_image_is_built_and_run():
    ended = subprocess.run(
        ["bash", ROOT / "tests" / "container.sh"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    tail = "\n".join(ended.stdout.splitlines()[-60:])
    assert ended.returncode == 0, tail
    if skipped := re.search(r"^SKIP (.*)", ended.stdout, flags=re.MULTILINE):
        pytest.skip(skipped[1])
    assert "PASS container test" in tail, tail
