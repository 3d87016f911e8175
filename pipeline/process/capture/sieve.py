"""Passes over raw records that cannot hold any of some ids, without decoding them."""

import re
from collections.abc import Collection
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:@+ -]+")
_EXPONENT: Final = re.compile(rb"\d[eE][+-]?\d")


class Sieve:
    """Lets through what may hold one of the texts; with `addresses`, what may state a phone or
    email, which has too many spellings to look for."""

    def __init__(self, texts: Collection[str], *, addresses: bool = False) -> None:
        """A text that JSON may write in several ways lets everything through."""
        self._all = not all(_PLAIN.fullmatch(text) for text in texts)
        self._needles = [text.encode() for text in texts] if not self._all else []
        self._numbers = any(text.isdecimal() for text in texts)
        self._addresses = addresses

    def may_hold(self, value: bytes) -> bool:
        """Whether the record must be decoded."""
        if self._all or b"\\" in value:
            return True
        if self._addresses and (b"hone" in value or b"mail" in value):
            return True
        if self._numbers and _EXPONENT.search(value):
            return True
        return any(needle in value for needle in self._needles)
