"""README says what is there: commands, settings, metrics, reasons."""

from pathlib import Path

from pipeline.adapters.metrics import Metrics
from pipeline.cli import COMMANDS
from pipeline.commands.reasons import OUTCOMES, REASONS, RETRACTIONS
from pipeline.wire.segment import RejectReason

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_command_is_named() -> None:
    for command in COMMANDS:
        assert f"`{command}" in README, command


def test_every_metric_is_in_the_table() -> None:
    for family in Metrics().registry.collect():
        assert f"`{family.name}" in README, family.name


def test_every_reason_of_a_decision_is_listed() -> None:
    for reason in [*OUTCOMES, *REASONS, *RETRACTIONS]:
        assert f"`{reason}`" in README, reason


def test_every_reason_of_a_dead_letter_is_listed() -> None:
    for reason in [*RejectReason, "fold_failed"]:
        assert f"`{reason}`" in README, reason


def test_every_setting_is_in_the_table() -> None:
    source = (Path(__file__).parents[1] / "pipeline" / "settings.py").read_text(encoding="utf-8")
    for name in sorted({word for word in source.split('"') if word.isupper() and "_" in word}):
        if name.startswith(("KAFKA_", "REDIS_", "PIPELINE_")):
            assert f"`{name}`" in README, name
