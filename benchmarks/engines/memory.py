"""glibc's allocator, told to keep what freed tensors leave behind within a trial.

Left alone it hands every large tensor back to the system and asks for its pages anew in the next
step; on a CPU that made training steps 8 to 37 % longer (docs/performance.md).
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT = 2**30
"""Bytes of free memory, at most, that stay with the process: those of small networks' steps."""
LARGEST_IN_HEAP = 2**25
"""Bytes; what is larger is always mapped alone. glibc takes no higher threshold."""


def keep_freed() -> bool:
    """Let this process keep up to KEPT bytes of what it frees. False where this is not glibc."""
    libc = _glibc()
    return libc is not None and bool(
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP) and libc.mallopt(M_TRIM_THRESHOLD, KEPT)
    )


def give_back() -> None:
    """Hand free memory back, so that the next trial's peak is its own."""
    if libc := _glibc():
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
