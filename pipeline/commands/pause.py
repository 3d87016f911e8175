"""`pipeline pause JOURNEY`: an emergency stop of one journey."""

import click

from pipeline.commands.common import json_option
from pipeline.commands.status_change import change_status


@click.command("pause")
@click.argument("journey")
@json_option
def command(journey: str, as_json: bool) -> None:
    """Let nothing of JOURNEY fire from now on; starts and cancels are taken."""
    change_status(journey, "paused", as_json)
