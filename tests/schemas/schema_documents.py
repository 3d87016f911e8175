"""The files under schemas/ and deploy/ as values, and validators over them."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
EXAMPLES = SCHEMAS / "examples"
SAMPLE = ROOT / "deploy" / "rulebook"
BASE = "https://pipeline.example/schemas/"

NAMES = sorted(str(path.relative_to(SCHEMAS)) for path in SCHEMAS.rglob("*.schema.json"))
RECORDS = ("trigger", "retraction", "decision", "contact", "optin", "evidence", "outbound")


class _Loader(yaml.SafeLoader):
    """Reads times as text, as a rulebook's files are read."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


@cache
def schema(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return content


@cache
def registry() -> Registry[Any]:
    empty: Registry[Any] = Registry()
    return empty.with_resources(
        (BASE + name, Resource.from_contents(schema(name))) for name in NAMES
    )


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name), registry=registry())


def faults(name: str, value: object) -> list[str]:
    """What the schema finds wrong, a line each."""
    return [f"{e.json_path}: {e.message}" for e in validator(name).iter_errors(value)]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A schema's part with what its `$ref` into common.schema.json says."""
    ref = part.get("$ref", "")
    if not ref:
        return part
    assert ref.startswith("common.schema.json#/$defs/"), ref
    defs: dict[str, Any] = schema("common.schema.json")["$defs"]
    return {**defs[ref.rsplit("/", 1)[1]], **part}


def texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, names too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
