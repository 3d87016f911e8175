"""`pipeline topics create|check`: what is missing, and what differs."""

from typing import Any

import click

from pipeline.commands.common import (
    CHECK_FAILED,
    Failure,
    json_option,
    print_json,
    run,
    settings,
)
from pipeline.commands.tables import count_of
from pipeline.settings import Settings


def _settings() -> Settings:
    found = settings()
    if not found.kafka.servers:
        raise Failure("KAFKA_BOOTSTRAP_SERVERS not set: give the address that `up` prints")
    return found


@click.group("topics")
def command() -> None:
    """Create the topics that are missing, or report what differs."""


@command.command("create")
@json_option
def create(as_json: bool) -> None:
    """Create what is missing; topics that are there stay as they are."""
    from pipeline.adapters.topics import Topics, specs

    found = _settings()
    wanted = specs(found.names, found.partitions)
    created = run(Topics(found.kafka).create(wanted))
    for spec in wanted:
        new = spec.name in created
        if as_json:
            print_json({"topic": spec.name, "partitions": spec.partitions, "created": new})
        elif new:
            click.echo(f"created  {spec.name}, {count_of(spec.partitions, 'partition')}")
    if not as_json:
        click.echo(f"{len(created)} created, {len(wanted) - len(created)} were there")


@command.command("check")
@json_option
def check(as_json: bool) -> None:
    """Report what differs from what topics must be; exit status 1 if something is fatal."""
    from pipeline.adapters.topics import Topics, specs

    found = _settings()
    wanted = specs(found.names, found.partitions)
    differences = run(Topics(found.kafka).check(wanted))
    for each in differences:
        if as_json:
            said: dict[str, Any] = each._asdict()
            print_json(said)
        else:
            level = "fatal" if each.fatal else "warn"
            click.echo(
                f"{level:<6} {each.topic}: {each.what} is {each.found}, not {each.wanted}"
                f" — {each.remedy}"
            )
    fatal = sum(each.fatal for each in differences)
    if not as_json:
        click.echo(
            f"{count_of(len(wanted), 'topic')}: {count_of(len(differences), 'difference')},"
            f" {fatal} fatal"
        )
    if fatal:
        raise SystemExit(CHECK_FAILED)
