"""What the project is made of comes by content: packages, images and actions by their digests."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LISTS = ROOT / "requirements"
UNHASHED = {"torchvision": "download.pytorch.org names it; `make pins` adds it where that answers"}
"""The packages of the container without a hash -> why."""
BUILT_HERE = {"bench", "bench-mlflow-postgres"}
"""The images that our own Dockerfiles make, which have no digest before they are built."""


def read(name: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> version and hashes, out of a list of requirements/."""
    text = (LISTS / f"{name}.txt").read_text(encoding="utf-8")
    assert text.startswith("# Written by `make pins`")
    entries = {}
    for entry in re.split(r"\n(?=\S)", text.strip())[1:]:
        pinned = re.match(r"([a-z0-9-]+)==([\w.+]+)(?:\s|$)", entry)
        assert pinned, entry
        rest = re.sub(r"\\\n|\s|--hash=sha256:[0-9a-f]{64}", "", entry[pinned.end() :])
        assert rest == "", f"{name}.txt: {rest}"  # no marker, no address of an index
        entries[pinned[1]] = (pinned[2], re.findall(r"sha256:([0-9a-f]{64})", entry))
    return entries


def container(torch: str) -> dict[str, tuple[str, list[str]]]:
    """Everything that the container installs for a kind of torch."""
    names = ["build", "common", torch, *(["cpu-unhashed"] if torch == "cpu" and UNHASHED else [])]
    return {package: entry for name in names for package, entry in read(name).items()}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_package_of_every_list_has_a_hash(path: Path) -> None:
    bare = {package for package, (_, hashes) in read(path.stem).items() if not hashes}
    assert bare == (set(UNHASHED) if path.stem == "cpu-unhashed" else set())


@pytest.mark.parametrize("torch", ["cpu", "gpu"])
def test_the_lists_agree_with_constraints_and_hold_all_that_pyproject_asks_for(torch: str) -> None:
    listed = {name: version for name, (version, _) in container(torch).items()}
    pinned = constraints()
    for name, version in listed.items():
        assert version.removesuffix("+cpu") == pinned.get(name, version.removesuffix("+cpu")), name
    assert {name for name, version in listed.items() if version.endswith("+cpu")} == (
        {"torch", "torchvision"} if torch == "cpu" else set()
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in project["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(listed[canonicalize_name(wanted.name)]), text


def test_the_lists_are_complete_for_an_installation_without_dependencies() -> None:
    """Every package that a listed one needs, as this installation knows it, is listed."""
    listed = container("gpu")
    for name, (version, _) in listed.items():
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue  # of another platform, or the GPU's
        for text in needs:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                known = canonicalize_name(needed.name)
                assert known in listed, f"{name} {version} needs {text}"
                assert needed.specifier.contains(listed[known][0], prereleases=True), text


def test_the_container_installs_from_these_lists_alone() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip install ([^;&\n]*)", dockerfile)
    assert len(installs) == 6
    for arguments in installs:
        assert "--no-deps" in arguments
        hashed = "--require-hashes" in arguments
        assert hashed or "cpu-unhashed.txt" in arguments or "/src" in arguments, arguments
        if "common.txt" in arguments or "/src" in arguments:
            assert "--no-build-isolation" in arguments  # else pip fetches what builds, unchecked
    assert "pip check" in dockerfile
    postgres = (ROOT / "compose.postgres.yaml").read_text(encoding="utf-8")
    assert re.findall(r"pip install (.*)", postgres) == [
        "--no-cache-dir --require-hashes --no-deps --requirement /opt/requirements/postgres.txt"
    ]


def test_every_image_is_named_with_its_digest() -> None:
    images = []
    for path in [ROOT / "Dockerfile", *(ROOT / ".github").rglob("Dockerfile")]:
        text = path.read_text(encoding="utf-8")
        stages = set(re.findall(r" AS (\S+)", text))
        arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
        for name in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
            named = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], name)  # noqa: B023
            images += [named] if named not in stages else []
    for path in ROOT.glob("compose*.yaml"):
        text = path.read_text(encoding="utf-8")
        images += [s["image"] for s in yaml.safe_load(text)["services"].values() if "image" in s]
        images += re.findall(r"^\s+FROM (\S+)", text, re.MULTILINE)
    assert len([image for image in images if "@" in image]) >= 3
    for image in set(images) - BUILT_HERE:
        assert re.fullmatch(r"docker\.io/[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_every_pin_is_renewed_by_dependabot() -> None:
    configured = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))
    watched = {
        (update["package-ecosystem"], folder)
        for update in configured["updates"]
        for folder in update.get("directories", [update.get("directory")])
    }
    folders = {path.parent for path in (ROOT / ".github").rglob("Dockerfile")}
    for folder in {ROOT, *folders}:
        name = "/" if folder == ROOT else f"/{folder.relative_to(ROOT)}"
        assert ("docker", name) in watched
    assert {("github-actions", "/"), ("docker-compose", "/"), ("pip", "/")} <= watched


def test_no_list_and_no_script_names_a_private_index() -> None:
    for path in [*LISTS.iterdir(), ROOT / "Dockerfile", ROOT / "Makefile"]:
        if path.is_file():
            hosts = set(re.findall(r"https?://([^/\s\"`)]+)", path.read_text(encoding="utf-8")))
            assert hosts <= {"pypi.org", "download.pytorch.org"}, path
