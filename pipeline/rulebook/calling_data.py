"""The data sets that come with the program: rules of the law, by name and date.

A file never changes; what has changed in the law is a new file with its own date, which somebody
puts into their calling.yaml after having read it.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from pipeline.rulebook.yaml_marks import read_yaml


@cache
def _files() -> dict[str, bytes]:
    """By name and date, as in `us-telemarketing 2025-11-01`."""
    found = {}
    for path in sorted((files(__package__) / "data").iterdir(), key=lambda path: path.name):
        name, dated, date = path.name.removesuffix(".yaml").partition("-20")
        if dated:
            found[f"{name} 20{date}"] = path.read_bytes()
    return found


def known_sets() -> list[str]:
    """Every data set's name and date, the newest last."""
    return list(_files())


@cache
def read_set(name: str, date: str) -> dict[str, Any] | None:
    """A data set's content; None where there is none."""
    data = _files().get(f"{name} {date}")
    if data is None:
        return None
    value, findings = read_yaml(data, f"{name}-{date}.yaml")
    if findings:
        raise ValueError(findings)
    return {key: value[key] for key in ("holidays", "rules", "limits") if key in value}
