"""How a worker's process treats its memory."""

import contextlib
import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""Of glibc's malloc.h."""
_KEPT: Final = 256 * 1024 * 1024
_LARGE: Final = 32 * 1024 * 1024


def settle() -> None:
    """For a process that lives long, keeps many entities, and moves megabytes in every commit."""
    # a cache of entities makes Python's full collections long and finds no cycles in it; measured:
    # a third of the fold's time
    gc.set_threshold(100_000, 50, 100)
    # else each large buffer comes from the system, page by page, and goes back at once; measured:
    # 2 to 11 % of a worker's time. Other systems' libraries have no such function
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
