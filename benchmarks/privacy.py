"""What must not be published: credentials, folders, and the names of people and machines.

Results, plans, pages, MLflow and most of what the terminal shows leave this machine one day. Every
text that enters them passes through one function of this module. Each of them gives its own output
back unchanged, so that texts may pass twice.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import quote, unquote

MASK = "***"
SENSITIVE = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|api_?key|access_?key|private_?key"
    r"|account_?key|secret_?key|credentials?|authorization|connection_string|cookie)"
)
"""What the name of a setting ends with whose value is nobody's business."""
SECRET_NAME = re.compile(rf"(?i){SENSITIVE.replace('_?', '[_-]?')}$")
NAMED_VALUE = re.compile(
    rf"(?i)(?P<name>{SENSITIVE.replace('_?', '[_-]?')}[\"']?\s*[=:]\s*)"
    r"(?:\"[^\"\n]*\"|'[^'\n]*'|(?:(?:bearer|basic)\s+)?[^\s\"'&,;)\]}]+)"
)
KNOWN_TOKEN = re.compile(
    r"\b(?:dapi[0-9a-f]{32}(?:-\d+)?|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|hf_\w{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|xox[a-z]-[\w-]{10,}|sk-[\w-]{20,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
"""Tokens that are known by their form: of Databricks, GitHub, GitLab, AWS, Slack, and JWT."""
URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:/{2,})(?P<rest>[^\s\"'<>`]*)")
USER_AND_PASSWORD = re.compile(r"(?<![\w*])[\w.%+-]+:[^\s@/:\"']+@(?=[\w.-])")
SHORTEST_SECRET = 5
"""Characters; a shorter secret is part of innocent words, and is masked by its place alone."""

GENERIC = {
    "root", "user", "users", "admin", "administrator", "bench", "runner", "ubuntu", "debian",
    "docker", "container", "guest", "home", "host", "localhost", "localdomain", "nobody", "test",
    "python", "torch", "mlflow", "work", "build", "default", "none", "true", "false", "token",
}  # fmt: skip
"""Names of accounts and machines that say nothing about anybody."""

USER_NAMES = ("USER", "LOGNAME", "USERNAME", "MLFLOW_TRACKING_USERNAME")

PACKAGE = Path(__file__).parent
PART = r"[^\s/\"'<>|:;,()\[\]{}=*?`]"
FOLDERS_ABOVE = re.compile(
    r"(?P<quoted>(?<=[\"'])/[^\"'\n]*/[^\"'\n]*(?=[\"']))"
    rf"|(?P<path>(?<![\w.~/\\%*-])(?:/{PART}+)*/(?:{PART}+/|(?:home|root|tmp)\b|~){PART}*)"
    r"|(?P<windows>(?<!\w)(?:[A-Za-z]:\\{1,2}|\\\\)[^\s\"'<>|:;,()*?]+)"
)
LIBRARIES = re.compile(r".*/(?:(?:site|dist)-packages|lib(?:64)?/(?=python\d))/?")


def public(text: str) -> str:
    """A text without credentials, folders of this machine, and names of its user and itself."""
    return _without_names(_without_folders(masked(text)))


def public_command(words: Sequence[str]) -> str:
    """A command line as a shell reads it, public: of files that lie elsewhere only the names."""
    return shlex.join(public_word(word) for word in words)


def masked(text: str) -> str:
    """A text without credentials: in URIs, beside the name of a setting, or known to be secret."""
    if known := _known_secrets(_surroundings()):
        text = known.sub(MASK, text)
    text = URI.sub(_masked_uri, text)
    text = USER_AND_PASSWORD.sub(f"{MASK}@", text)
    text = NAMED_VALUE.sub(lambda match: f"{match['name']}{MASK}", text)
    return KNOWN_TOKEN.sub(MASK, text)


def public_name(value: str) -> str:
    """A name of a method, a task or a file, or the value of an option, public.

    Unlike a text it keeps what stands beside a name, because "token=5" may be a hyperparameter.
    """
    if not any(sign in value for sign in "/\\@"):
        return value
    return _without_names(_without_folders(URI.sub(_masked_uri, value)))


def _masked_uri(match: re.Match[str]) -> str:
    """A URI without user, password and the values of its query.

    A password may hold "/" or "@", so that everything before the last "@" is taken for one.
    """
    rest = match["rest"].rstrip(").,;:]}")
    tail = match["rest"][len(rest) :]
    _, at, after = rest.rpartition("@")
    if at and match["scheme"].count("/") == 2:
        rest = f"{MASK}@{after}"
    for sign in "?#":
        address, sign_here, query = rest.partition(sign)
        if sign_here and (sign == "?" or "=" in query):
            pairs = re.split(r"([&;])", query)
            rest = address + sign + "".join(map(_masked_pair, pairs))
    return f"{match['scheme']}{rest}{tail}"


def _masked_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    if pair in ("", "&", ";"):
        return pair
    return f"{name}={MASK}" if equals else MASK


def public_word(word: str) -> str:
    """A word of a command line, such as a URI: one value, even where it holds spaces."""
    name, equals, value = word.partition("=")
    if equals and "://" not in name and not name.startswith("/"):
        secret = SECRET_NAME.search(name) and value
        return f"{name}={MASK if secret else public_word(value)}"
    if "://" in word:
        word = re.sub(r"[\s\"'<>`]", "_", word)
    elif word.startswith(("/", "~")) or PureWindowsPath(word).drive:
        return _without_names(_last_of(word))
    return public(word)


def _surroundings() -> frozenset[tuple[str, str]]:
    """Where secrets come from: environment variables by name, and words of the command line."""
    return frozenset([*os.environ.items(), *(("", word) for word in sys.argv)])


@lru_cache(maxsize=8)
def _known_secrets(surroundings: frozenset[tuple[str, str]]) -> re.Pattern[str] | None:
    """A pattern of all secrets among them, in every spelling that an error message may have."""
    found = {
        spelling
        for name, value in surroundings
        for secret in _secrets_of(name, value)
        for spelling in (secret, unquote(secret), quote(secret), quote(secret, safe=""))
        if len(spelling) >= SHORTEST_SECRET and spelling.lower() not in GENERIC
    }
    longest_first = sorted(found, key=lambda secret: (-len(secret), secret))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _secrets_of(name: str, value: str) -> Iterator[str]:
    """The secrets in one variable or word: all of it, or what its URIs hold."""
    if SECRET_NAME.search(name) and name not in ("PWD", "OLDPWD"):
        yield value
    option, equals, text = value.partition("=")
    if equals and SECRET_NAME.search(option):
        yield text
    for match in re.finditer(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<rest>.*)", value, re.DOTALL):
        before, at, _ = match["rest"].rpartition("@")
        if at:
            user, colon, password = before.partition(":")
            yield password if colon else user
        for pair in re.split(r"[?&;#]", match["rest"])[1:]:
            key, equals, secret = pair.partition("=")
            if equals and SECRET_NAME.search(key):
                yield secret


def _without_folders(text: str) -> str:
    """Absolute paths as the names of their files, those of libraries from the package on."""
    for folder in _own_folders():
        text = text.replace(folder, "/~")
    pieces, end = [], 0
    for uri in URI.finditer(text):  # the path of an address is no folder of this machine
        pieces += [FOLDERS_ABOVE.sub(_shortened, text[end : uri.start()]), _local_uri(uri)]
        end = uri.end()
    return "".join([*pieces, FOLDERS_ABOVE.sub(_shortened, text[end:])])


def _local_uri(match: re.Match[str]) -> str:
    """The URI of a file or database of this machine with its name alone; others as they are."""
    scheme, slashes = match["scheme"].split(":", 1)
    is_absolute = len(slashes) > 3 or (scheme == "file" and len(slashes) == 3)
    if not is_absolute and "/~" not in match[0]:
        return match[0]
    path, question, query = match["rest"].partition("?")
    return f"{scheme}:///{_last_of(path)}{question}{query}"


def _shortened(match: re.Match[str]) -> str:
    path = match[0]
    if match["windows"]:
        return PureWindowsPath(path).name or "folder"
    if match["quoted"] and not re.match(r"/[\w.~-]", path):
        return path
    return _last_of(path)


def _last_of(path: str) -> str:
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


@lru_cache(maxsize=1)
def _packages() -> list[tuple[str, str]]:
    """Where our own code lies, by every path that leads there, the deepest first."""
    folders = {str(PACKAGE): "bench", str(PACKAGE.resolve()): "bench"}
    for name in ("methods", "baselines", "reports"):
        folders[str((PACKAGE / name).resolve())] = f"bench/{name}"
    return sorted(folders.items(), key=lambda item: -len(item[0]))


def _own_folders() -> list[str]:
    """The home folder and that of temporary files, where their names may hold spaces."""
    folders = {os.environ.get("HOME", ""), os.environ.get("TMPDIR", ""), tempfile.gettempdir()}
    with suppress(RuntimeError):  # a user without a home folder
        folders.add(str(Path.home()))
    return sorted((f for f in folders if " " in f and len(f) > 1), key=lambda f: -len(f))


def _without_names(text: str) -> str:
    for name, word in _names(_surroundings()).items():
        if name in text:
            text = re.sub(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", word, text)
    return text


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
