"""Folders of this machine, and the names of its user and of itself."""

from __future__ import annotations

import getpass
import platform
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from bench.privacy.credentials import GENERIC, URI, surroundings

USER_NAMES = ("USER", "LOGNAME", "USERNAME", "MLFLOW_TRACKING_USERNAME")
"""Environment variables that name the user."""
PACKAGE = Path(__file__).parents[1]
PART = r"[^\s/\"'<>|:;,()\[\]{}=*?`]"
FOLDERS_ABOVE = re.compile(
    r"(?P<quoted>(?<=[\"'])/[^\"'\n]*/[^\"'\n]*(?=[\"']))"
    rf"|(?P<path>(?<![\w.~/\\%*-])(?:/{PART}+)*/(?:{PART}+/|(?:home|root|tmp)\b|~){PART}*)"
    r"|(?P<windows>(?<!\w)(?:[A-Za-z]:\\{1,2}|\\\\)[^\s\"'<>|:;,()*?]+)"
)
LIBRARIES = re.compile(r".*/(?:(?:site|dist)-packages|lib(?:64)?/(?=python\d))/?")


def without_folders(text: str) -> str:
    """Absolute paths as the names of their files, those of libraries from the package on."""
    for folder in _own_folders():
        text = text.replace(folder, "/~")
    pieces, end = [], 0
    for uri in URI.finditer(text):  # the path of an address is no folder of this machine
        pieces += [FOLDERS_ABOVE.sub(_shortened, text[end : uri.start()]), _local_uri(uri)]
        end = uri.end()
    return "".join([*pieces, FOLDERS_ABOVE.sub(_shortened, text[end:])])


def without_names(text: str) -> str:
    """A text with USER and HOST in place of this user's and this machine's name."""
    for name, word in _names(surroundings()).items():
        if name in text:
            text = re.sub(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", word, text)
    return text


def last_of(path: str) -> str:
    """The name of a file; of a library's or our own file the path from the package on."""
    if library := LIBRARIES.match(path):
        inside = path[library.end() :]
        return inside if inside.startswith("python") else f"site-packages/{inside}"
    for folder, name in _packages():
        if path.startswith(f"{folder}/"):
            return f"{name}{path.removeprefix(folder)}"
    if "\\" in path:
        return PureWindowsPath(path).name or "folder"
    return PurePosixPath(path).name or path


def _local_uri(match: re.Match[str]) -> str:
    """The URI of a file or database of this machine with its name alone; others as they are."""
    scheme, slashes = match["scheme"].split(":", 1)
    is_absolute = len(slashes) > 3 or (scheme == "file" and len(slashes) == 3)
    if not is_absolute and "/~" not in match[0]:
        return match[0]
    path, question, query = match["rest"].partition("?")
    return f"{scheme}:///{last_of(path)}{question}{query}"


def _shortened(match: re.Match[str]) -> str:
    path = match[0]
    if match["windows"]:
        return PureWindowsPath(path).name or "folder"
    if match["quoted"] and not re.match(r"/[\w.~-]", path):
        return path
    return last_of(path)


@lru_cache(maxsize=1)
def _packages() -> list[tuple[str, str]]:
    """Where our own code lies, by every path that leads there, the deepest first."""
    folders = {str(PACKAGE): "bench", str(PACKAGE.resolve()): "bench"}
    for name in ("methods", "baselines", "reports"):
        folders[str((PACKAGE / name).resolve())] = f"bench/{name}"
    return sorted(folders.items(), key=lambda item: -len(item[0]))


def _own_folders() -> list[str]:
    """The home folder and that of temporary files, where their names may hold spaces."""
    variables = dict(surroundings())
    folders = {variables.get("HOME", ""), variables.get("TMPDIR", ""), tempfile.gettempdir()}
    with suppress(RuntimeError):  # a user without a home folder
        folders.add(str(Path.home()))
    return sorted((f for f in folders if " " in f and len(f) > 1), key=lambda f: -len(f))


@lru_cache(maxsize=8)
def _names(surroundings: frozenset[tuple[str, str]]) -> dict[str, str]:
    """The names of this user and of this machine, and what stands in their place."""
    variables = dict(surroundings)
    users = [variables.get(name, "") for name in USER_NAMES]
    users.append(Path(variables.get("HOME", "")).name)
    with suppress(OSError, KeyError):  # a user id without a name, as in a container
        users.append(getpass.getuser())
    machine = platform.node()
    machines = [machine, machine.partition(".")[0], variables.get("HOSTNAME", "")]
    return {**_telling(machines, "HOST"), **_telling(users, "USER")}


def _telling(names: Iterable[str], word: str) -> dict[str, str]:
    return {name: word for name in names if len(name) > 3 and name.lower() not in GENERIC}
