"""Of somebody who was erased it is shown that it was so and where it stands, not what it said."""

from typing import Any, Final

Json = dict[str, Any]
GONE: Final = "(erased)"
_CONSENT: Final = ("ip", "source", "text")


def redacted(record: Json) -> Json:
    """A trigger, retraction, decision or evidence without key, address and content."""
    made = dict(record)
    for name in ("key", "to", "address", *_CONSENT):
        if made.get(name) is not None:
            made[name] = GONE
    if "include" in made:
        made["include"] = {}
    if made.get("consent") is not None:
        consent = made["consent"]
        made["consent"] = {n: GONE if n in _CONSENT and v else v for n, v in consent.items()}
    return made
