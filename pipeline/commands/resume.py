"""`pipeline resume JOURNEY`: ends the pause of one journey."""

import click

from pipeline.commands.common import json_option
from pipeline.commands.status_change import change_status


@click.command("resume")
@click.argument("journey")
@json_option
def command(journey: str, as_json: bool) -> None:
    """End the pause of JOURNEY: what came due in it is decided now, unless it expired."""
    change_status(journey, "active", as_json)
