"""`import bench`: light, and the only name that an installation adds."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bench

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "pandas", "sklearn", "pydantic", "mlflow", "typer"}


def python(code: str) -> str:
    """What a fresh Python prints that finds `bench` in this checkout."""
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout


def test_importing_it_imports_nothing_heavy() -> None:
    loaded = set(python("import sys, bench; print(*sys.modules)").split())
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("bench.")} == set()


def test_every_public_name_resolves_and_is_listed() -> None:
    for name in bench.__all__:
        assert getattr(bench, name) is not None
    assert set(bench.__all__) <= set(dir(bench))


def test_what_type_checkers_see_is_what_python_finds() -> None:
    tree = ast.parse(Path(bench.__file__).read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {name: f"bench.{module}" for name, module in bench._MODULES.items()}
    assert set(bench.__all__) == {*typed, "__version__"}


def test_no_public_name_hides_a_package_below_it() -> None:
    below = {path.stem for path in Path(bench.__file__).parent.iterdir()}
    assert below & set(bench.__all__) == set()


def test_the_docstring_names_every_public_name() -> None:
    assert bench.__doc__ is not None
    assert [name for name in bench.__all__[1:] if f"`{name}`" not in bench.__doc__] == [
        "__version__"
    ]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        bench.nonsense  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{bench.__version__}"' in text
