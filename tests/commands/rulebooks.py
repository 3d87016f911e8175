"""A rulebook's folder that a test writes anew."""

from pathlib import Path
from typing import Any

import yaml


class Rulebook:
    """Each journey stands in a file of its own, whatever its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "journeys").mkdir(parents=True)

    def write(self, *journeys: dict[str, Any]) -> Path:
        """Nothing but these; returns the folder."""
        for old in (self.folder / "journeys").iterdir():
            old.unlink()
        for number, made in enumerate(journeys):
            (self.folder / "journeys" / f"{number}.yaml").write_text(yaml.safe_dump(made))
        return self.folder
