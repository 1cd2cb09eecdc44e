"""Suite files by name."""

from __future__ import annotations

from pathlib import Path

from bench.errors import SuiteError
from bench.plugins import discover_suites, leave_out
from bench.suites.source import SuiteSource

FOLDER = Path(__file__).parent


def suite_names() -> dict[str, Path]:
    """The files of the suites that come with the project or as plug-ins, by the suites' names."""
    return discover_suites(FOLDER)


def descriptions() -> dict[str, str]:
    """What each suite says of itself. A plug-in file that is no suite is left out."""
    texts = {}
    for name, path in suite_names().items():
        try:
            texts[name] = _description(path)
        except SuiteError as error:
            if path.parent == FOLDER:
                raise
            leave_out("suite", path, str(error).removeprefix(str(path)).strip(",:. "))
    return texts


def _description(path: Path) -> str:
    content = SuiteSource(path).content
    if not isinstance(content, dict):
        raise SuiteError(f"{path}: a suite is a mapping with title, tasks and methods.")
    return " ".join(str(content.get("description", "")).split())
