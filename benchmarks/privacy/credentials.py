"""Credentials: in addresses, beside the names of settings, or known from the environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, unquote

MASK = "***"
SENSITIVE = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|authorization|cookie"
    r"|(?:api|access|private|account|secret)[_-]?key|connection_string)"
)
"""What the name of a setting ends with whose value is nobody's business."""
SENSITIVE_NAME = re.compile(rf"(?i){SENSITIVE}$")
NAMED_VALUE = re.compile(
    rf"(?i)(?P<name>{SENSITIVE}[\"']?\s*[=:]\s*)"
    r"(?:\"[^\"\n]*\"|'[^'\n]*'|(?:(?:bearer|basic)\s+)?[^\s\"'&,;)\]}]+)"
)
KNOWN_TOKEN = re.compile(
    r"\b(?:dapi[0-9a-f]{32}(?:-\d+)?|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|hf_\w{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|xox[a-z]-[\w-]{10,}|sk-[\w-]{20,}"
    r"|eyJ[\w-]{8,2000}\.[\w-]{8,}\.[\w-]*)"
)
"""Tokens that are known by their form: of Databricks, GitHub, GitLab, AWS, Slack, and JWT."""
# What may be repeated is bounded wherever a match can begin in the middle of it: else a text of one
# long word would take time by the square of its length.
URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,40}:/{2,})(?P<rest>[^\s\"'<>`]*)")
USER_AND_PASSWORD = re.compile(r"(?<![\w*])[\w.%+-]{1,100}:[^\s@/:\"']{1,300}@(?=[\w.-])")
SHORTEST_SECRET = 5
"""Characters; a shorter secret is part of innocent words, and is masked by its place alone."""

GENERIC = {
    "root", "user", "users", "admin", "administrator", "bench", "runner", "ubuntu", "debian",
    "docker", "container", "guest", "home", "host", "localhost", "localdomain", "nobody", "test",
    "python", "torch", "mlflow", "work", "build", "default", "none", "true", "false", "token",
}  # fmt: skip
"""Names of accounts and machines that say nothing about anybody."""


def masked(text: str) -> str:
    """A text without credentials: in URIs, beside the name of a setting, or known to be secret."""
    if known := _known_secrets(surroundings()):
        text = known.sub(MASK, text)
    text = masked_addresses(text)
    text = USER_AND_PASSWORD.sub(f"{MASK}@", text)
    text = NAMED_VALUE.sub(lambda match: f"{match['name']}{MASK}", text)
    return KNOWN_TOKEN.sub(MASK, text)


def masked_addresses(text: str) -> str:
    """A text whose URIs have no credentials."""
    return URI.sub(_masked_uri, text)


def _masked_uri(match: re.Match[str]) -> str:
    """A URI without user, password and the values of its query.

    A password may hold "/" or "@", so that everything before the last "@" is taken for one.
    """
    rest = match["rest"].rstrip(").,;:]}")
    tail = match["rest"][len(rest) :]
    _, at, after = rest.rpartition("@")
    if at and match["scheme"].count("/") == 2:
        rest = f"{MASK}@{after}"
    pieces = re.split(r"([?#&;])", rest)
    address, pairs = pieces[0], pieces[1:]
    values = (_masked_pair(sign, pair) for sign, pair in zip(pairs[::2], pairs[1::2], strict=True))
    return f"{match['scheme']}{address}{''.join(values)}{tail}"


def _masked_pair(sign: str, pair: str) -> str:
    name, equals, _ = pair.partition("=")
    if equals:
        return f"{sign}{name}={MASK}"
    return f"{sign}{MASK}" if pair and sign != "#" else f"{sign}{pair}"


def surroundings() -> frozenset[tuple[str, str]]:
    """Where secrets come from: environment variables by name, and words of the command line."""
    return frozenset([*os.environ.items(), *(("", word) for word in sys.argv)])


@lru_cache(maxsize=8)
def _known_secrets(surroundings: frozenset[tuple[str, str]]) -> re.Pattern[str] | None:
    """A pattern of all secrets among them, in every spelling that an error message may have."""
    found = {
        spelling
        for name, value in surroundings
        for secret in _secrets_of(name, value)
        for plain in (secret, unquote(secret))
        for spelling in (plain, quote(plain), quote(plain, safe=""))
        if len(plain) >= SHORTEST_SECRET and plain.lower() not in GENERIC and MASK not in plain
    }
    longest_first = sorted(found, key=lambda secret: (-len(secret), secret))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _secrets_of(name: str, value: str) -> Iterator[str]:
    """The secrets in one variable or word: all of it, or what its URIs hold."""
    if SENSITIVE_NAME.search(name) and name not in ("PWD", "OLDPWD"):
        yield value
    *names, text = value.split("=")
    if names and SENSITIVE_NAME.search(names[-1]):
        yield text
    # A whole word may be one address with a space in its password.
    whole = re.match(r"(?:--[\w-]+=)?[A-Za-z][A-Za-z0-9+.-]*://(?P<rest>.*)", value, re.DOTALL)
    for match in (whole, *URI.finditer(value)):
        before, at, _ = match["rest"].rpartition("@") if match else ("", "", "")
        if at:
            user, colon, password = before.partition(":")
            yield password if colon else user
        for pair in re.split(r"[?&;#]", match["rest"])[1:] if match else ():
            key, equals, secret = pair.partition("=")
            if equals and SENSITIVE_NAME.search(key):
                yield secret
