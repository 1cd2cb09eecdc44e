"""The kinds of data that tasks are posed on."""

from __future__ import annotations

from typing import Literal

Kind = Literal["table", "image", "sound", "text"]
