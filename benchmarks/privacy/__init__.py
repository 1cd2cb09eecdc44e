"""What must not be published: credentials, folders, and the names of people and machines.

Results, plans, pages, MLflow and most of what the terminal shows leave this machine one day. Every
text that enters them passes through one function of this package. Each of them gives its own output
back unchanged, so that texts may pass twice.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PureWindowsPath

from bench.privacy.credentials import MASK, SENSITIVE_NAME, masked, masked_addresses
from bench.privacy.places import last_of, without_folders, without_names

__all__ = ["masked", "public", "public_command", "public_name", "public_word"]


def public(text: str) -> str:
    """A text without credentials, folders of this machine, and names of its user and itself."""
    return without_names(without_folders(masked(text)))


def public_command(words: Sequence[str]) -> str:
    """A command line as a shell reads it, public: of files that lie elsewhere only the names."""
    return shlex.join(public_word(word) for word in words)


def public_name(value: str) -> str:
    """A name of a method, a task or a file, or the value of an option, public.

    Unlike a text it keeps what stands beside a name, because "token=5" may be a hyperparameter.
    """
    if not any(sign in value for sign in "/\\@"):
        return value
    return without_names(without_folders(masked_addresses(value)))


def public_word(word: str) -> str:
    """A word of a command line, such as a URI: one value, even where it holds spaces."""
    name, equals, value = word.partition("=")
    if equals and "://" not in name and not name.startswith("/"):
        secret = SENSITIVE_NAME.search(name) and value
        return f"{name}={MASK if secret else public_word(value)}"
    if "://" in word:
        word = re.sub(r"[\s\"'<>`]", "_", word)
    elif word.startswith(("/", "~")) or PureWindowsPath(word).drive:
        return without_names(last_of(word))
    return public(word)
