"""By which name a journey of a document is known inside: a shadow stands beside the live one."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.domain.shadow import slot

SHADOW: Final = "shadow"
"""The status of a journey that only decides."""


def slot_of(made: Mapping[str, Any]) -> str:
    """Of a canonical form."""
    name = str(made["journey"])
    return slot(name) if made.get("status") == SHADOW else name
