"""Writes the lists of this folder anew: `make pins`.

Each line names a package with its version, out of pyproject.toml and constraints.txt, and the
SHA-256 of each file that may be installed for it, so that nobody can put another one in its place.

| list | holds |
|---|---|
| build.txt | what builds packages |
| common.txt | what the container installs for every kind of torch |
| gpu.txt | torch of PyPI with its CUDA libraries |
| cpu.txt | torch for CPUs of download.pytorch.org |
| cpu-unhashed.txt | what of it has no known hash yet; there is no such file where all are known |
| postgres.txt | what compose.postgres.yaml adds |
| tools.txt | uv, which resolves these lists, and pip-audit, which looks for known holes in them |
"""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = "3.11"  # of the base image
OTHERS = {"tools": ["pip-audit==2.10.1", "uv==0.13.9"], "postgres": ["psycopg2-binary==2.9.13"]}
BUILD = {"setuptools"}
CPU = {"torch", "torchvision"}
OF_TORCH = re.compile(r"torch|torchvision|triton|nvidia-.*|cuda-.*")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
HEADER = "# Written by `make pins` (requirements/update.py); do not edit.\n"


def compiled(*arguments: str, text: str | None = None) -> dict[str, str]:
    """Package -> its lines with version and hashes, as uv resolves them on PyPI."""
    command = [
        "uv", "pip", "compile", *arguments, "--quiet", "--no-header", "--no-annotate",
        "--generate-hashes", "--python-version", PYTHON, "--python-platform", "linux",
        "--default-index", "https://pypi.org/simple",
    ]  # fmt: skip
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(done.stderr)
    entries = re.split(r"\n(?=\S)", done.stdout.strip())
    return {entry.partition("==")[0]: entry for entry in entries}


def of_cpu(name: str, version: str, known: str) -> str:
    """The entry of a package for CPUs; the known one where the index is out of reach."""
    pinned = f"{name}=={version}+cpu"
    entries = re.split(r"\s*\n(?=\S)", known.strip())
    kept = next((entry for entry in entries if re.match(rf"{re.escape(pinned)}\s", entry)), "")
    try:
        with urllib.request.urlopen(f"{CPU_INDEX}/{name}/", timeout=60) as page:  # noqa: S310
            links = page.read().decode()
    except OSError as error:
        print(f"{CPU_INDEX}: {error}. What is known of {name} stays as it is.")  # noqa: T201
        return kept or pinned
    tag = f"cp{PYTHON.replace('.', '')}"
    file = rf"{name}-{re.escape(version)}(?:%2B|\+)cpu-{tag}-{tag}-[a-z]*linux[^#\"]*\.whl"
    hashes = sorted(set(re.findall(rf"{file}#sha256=([0-9a-f]{{64}})", links)))
    if not hashes:
        sys.exit(f"{CPU_INDEX}/{name}/ lists no hash of {pinned} for Python {PYTHON} on Linux.")
    return " \\\n    ".join([pinned, *(f"--hash=sha256:{value}" for value in hashes)])


def write(name: str, entries: list[str]) -> None:
    """A list of this folder; none where there is nothing to list."""
    path = HERE / f"{name}.txt"
    if entries:
        path.write_text(HEADER + "\n".join(entries) + "\n")
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Resolve everything and write all lists."""
    project = HERE.parent
    constraint = f"--constraint={project / 'constraints.txt'}"
    every = compiled(str(project / "pyproject.toml"), constraint)
    torch = {name for name in every if OF_TORCH.fullmatch(name)}
    write("build", [every[name] for name in sorted(BUILD)])
    write("gpu", [every[name] for name in sorted(torch)])
    write("common", [entry for name, entry in every.items() if name not in torch | BUILD])
    known = "\n".join(p.read_text() for p in HERE.glob("cpu*.txt"))
    versions = {name: re.split(r"==|\s", every[name])[1] for name in sorted(CPU)}
    cpu = [of_cpu(name, version, known) for name, version in versions.items()]
    write("cpu", [entry for entry in cpu if "--hash" in entry])
    write("cpu-unhashed", [entry for entry in cpu if "--hash" not in entry])
    for name, packages in OTHERS.items():
        write(name, list(compiled("-", text="\n".join(packages)).values()))


if __name__ == "__main__":
    main()
