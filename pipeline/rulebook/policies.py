"""consent.yaml and identity.yaml in their canonical form."""

from typing import Any

from pipeline.rulebook.shape import Node
from pipeline.rulebook.steps import CHANNELS


def read_consent(node: Node) -> list[dict[str, Any]]:
    """Which track events mean what for which channels."""
    if not node.map(("events",)) or not node.has("events"):
        return []
    found: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    for each in node.at("events").list():
        if not each.map(("event", "channels", "subscribed"), "a rule (a map)"):
            continue
        event = each.required("event", Node.text)
        channels = each.required("channels", _channels) or []
        subscribed = each.required("subscribed", Node.boolean)
        for channel in channels:
            if (str(event), channel) in seen:
                message = f"`{event}` stands twice for {channel}"
                each.error(message, "remove one of them")
            seen.add((str(event), channel))
        found.append({"event": event, "channels": channels, "subscribed": subscribed})
    return found


def _channels(node: Node) -> list[str]:
    found = {each.choice(CHANNELS) for each in node.list(empty=False, single=True)}
    return [channel for channel in CHANNELS if channel in found]


def read_identity(node: Node) -> dict[str, Any]:
    """Refused ids, trimmed and in lower case, and whether an alias may merge two known users."""
    if not node.map(("refuse", "alias")):
        return {"refuse": [], "alias": "merge"}
    none: list[str] = []
    refuse = node.optional("refuse", none, lambda n: [each.text() or "" for each in n.list()])
    return {
        "refuse": sorted({text.strip().lower() for text in refuse} - {""}),
        "alias": node.optional("alias", "merge", lambda n: n.choice(("merge", "ignore"))),
    }
