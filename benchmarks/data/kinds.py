"""The kinds of inputs that a data set can have."""

from __future__ import annotations

from typing import Literal

Kind = Literal["table", "image", "sound", "text"]
