"""schemas/rulebook/REFERENCE.md: every key of a rulebook's files, made from their JSON Schemas.

`python -m tests.schemas.reference` writes it anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.rulebook.codes import WARNINGS
from tests.schemas.schema_documents import SCHEMAS, schema

PATH = SCHEMAS / "rulebook" / "REFERENCE.md"
FILES = {
    "journeys/*.yaml": "journey",
    "consent.yaml": "consent",
    "identity.yaml": "identity",
    "calling.yaml": "calling",
    "tests/*.yaml": "tests",
}
HEAD = """\
# Rulebook reference

Made from the JSON Schemas in this folder by `python -m tests.schemas.reference`; change those.

Durations are a whole number and `s`, `m`, `h` or `d`, as in `90s` or `24h`, at most `3650d`. Times
are RFC 3339 in UTC, as in `2026-03-03T15:00:00Z`. A key that is not listed is an error.
"""
CODES = """
## Warnings of `pipeline check`

`# check: ignore[CODE]` silences one, in its line or in the line above. Errors can't be silenced.

| Code | Meaning |
|---|---|
"""

Part = dict[str, Any]


class Row(NamedTuple):
    """A key of a table."""

    key: str
    type: str
    default: str
    meaning: str


class Table(NamedTuple):
    """The keys of one kind of map. `path`: where it stands in the file."""

    path: str
    meaning: str
    rows: list[Row]
    which: str = ""
    """What tells it from another of the same path: its first required key."""


class _Schema:
    """One file's schema, read table by table; a definition that is used twice stands once."""

    def __init__(self, name: str) -> None:
        self.root = schema(f"rulebook/{name}.schema.json")
        self.shown: set[str] = set()
        self.tables: list[Table] = []

    def resolved(self, part: Part) -> Part:
        """A part with what its `$ref` says; what stands beside the `$ref` is more particular."""
        ref = part.get("$ref", "")
        if not ref:
            return part
        assert ref.startswith("#/$defs/"), ref
        definition = self.resolved(self.root["$defs"][ref.rsplit("/", 1)[1]])
        return definition | {key: value for key, value in part.items() if key != "$ref"}

    def collect(self, part: Part, path: str, meaning: str = "") -> None:
        """The tables of a part and of all below it."""
        for name, each in self.maps(part):
            self._table(each, path + name, meaning or each.get("description", ""))

    def maps(self, part: Part, name: str = "") -> Iterator[tuple[str, Part]]:
        """The maps with keys of their own that a value may be or hold, and where they stand."""
        part = self.resolved(part)
        if "properties" in part:
            yield name, part
        for each in (*part.get("anyOf", ()), *part.get("oneOf", ())):
            yield from self.maps(each, name)
        if isinstance(part.get("items"), dict):
            yield from self.maps(part["items"], f"{name}[]")
        if isinstance(part.get("additionalProperties"), dict):
            yield from self.maps(part["additionalProperties"], f"{name}.*")

    def _table(self, part: Part, path: str, meaning: str) -> None:
        content = json.dumps(part, sort_keys=True)
        if content in self.shown:
            return
        self.shown.add(content)
        required = part.get("required", [])
        rows = [
            self._row(key, each, required=key in required)
            for key, each in part["properties"].items()
        ]
        twins = any(table.path == path for table in self.tables)
        which = f", with `{required[0]}`" if twins and required else ""
        self.tables.append(Table(path, meaning, rows, which))
        for key, each in part["properties"].items():
            self.collect(each, f"{path}.{key}".lstrip("."))

    def _row(self, key: str, part: Part, *, required: bool) -> Row:
        kinds = " or ".join(dict.fromkeys(self.types(part)))
        part = self.resolved(part)
        return Row(key, kinds, "required" if required else _default(part), _meaning(part))

    def types(self, part: Part) -> Iterator[str]:
        """In words; alternatives one by one."""
        named = _named(part.get("$ref", ""))
        part = self.resolved(part)
        if named:
            yield named
        elif "const" in part or "enum" in part:
            yield ", ".join(_code(each) for each in part.get("enum", [part.get("const")]))
        elif "properties" not in part and ("anyOf" in part or "oneOf" in part):
            for each in (*part.get("anyOf", ()), *part.get("oneOf", ())):
                yield from self.types(each)
        elif part.get("type") == "array":
            inner = " or ".join(dict.fromkeys(self.types(part.get("items", {}))))
            yield f"list of {inner}"
        else:
            given = part.get("type", "object" if "properties" in part else "anything")
            for each in given if isinstance(given, list) else [given]:
                yield _WORDS.get(each, each) + _range(part)


_WORDS = {
    "string": "text", "object": "map", "boolean": "true, false", "integer": "whole number",
    "null": "nothing",
}  # fmt: skip


def _named(ref: str) -> str:
    name = ref.rsplit("/", 1)[-1]
    return {"duration": "duration", "offset": "duration with or without `-`", "time": "time"}.get(
        name, ""
    )


def _range(part: Part) -> str:
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum", part.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    above = "above " if "exclusiveMinimum" in part else "from "
    return f" {above}{low}" + (f" to {high}" if high is not None and high < 2**31 - 1 else "")


def _default(part: Part) -> str:
    if "default" not in part:
        return "-"
    default = part["default"]
    return "none" if default in ([], {}, "") else _code(default)


def _code(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def _meaning(part: Part) -> str:
    """Of the part itself, else of what its list or alternatives hold."""
    text: str = part.get("description", "")
    return " ".join(text.split()).replace("|", "\\|")


def tables(name: str) -> list[Table]:
    """Every table of one schema, in the order of its keys."""
    read = _Schema(name)
    read.collect(read.root, "", read.root.get("description", ""))
    return read.tables


def reference() -> str:
    """The page."""
    lines = [HEAD]
    for file, name in FILES.items():
        lines.append(f"\n## {file}\n")
        for table in tables(name):
            if table.path:
                lines.append(f"\n### `{table.path}` of {file}{table.which}\n")
            if table.meaning:
                lines.append(f"\n{table.meaning}\n")
            lines.append("\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
            lines += [
                f"| `{row.key}` | {row.type} | {row.default} | {row.meaning} |\n"
                for row in table.rows
            ]
    lines.append(CODES)
    lines += [f"| `{code}` | {meaning} |\n" for code, meaning in WARNINGS.items()]
    return "".join(lines)


def write(path: Path = PATH) -> None:
    """Write it anew."""
    path.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    write()
