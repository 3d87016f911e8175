"""`pipeline`: one command a file in `pipeline/commands/`, loaded when it is called."""

import importlib
import sys
from typing import Final

import click

COMMANDS: Final = {
    "demo": "The main job on sample data, in under a minute.",
    "up": "The whole system on this machine until Ctrl-C.",
    "topics": "Create what is missing, or report what differs.",
    "worker": "One Faust worker: normalize and state agents.",
    "check": "Validate a rulebook: all findings, with file, line and remedy.",
    "test": "Run a rulebook's test files on a simulated clock.",
    "plan": "What applying a rulebook would change.",
    "apply": "Put a rulebook in force, through the log.",
    "pause": "Let nothing of one journey fire, at once.",
    "resume": "End the pause of a journey.",
    "shadow": "What a journey in shadow does otherwise than the live one.",
    "backtest": "What a rulebook would have done over a history.",
    "capture": "What happened to one person, as a test under fictional names.",
    "explain": "Why a trigger fired, or why it did not.",
    "contact": "One contact, by userId, anonymousId, phone or email.",
    "erase": "Right to erasure.",
    "deadletters": "What was refused, and why.",
    "doctor": "Check everything that the promises rest on.",
}


class _Lazy(click.Group):
    """Imports a command's module only when it is called, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pipeline.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pipeline", message="%(package)s %(version)s")
def cli() -> None:
    """Segment events in, consented journey triggers out."""


def main() -> None:
    """Entry point. Exit status: 0 done, 1 a check failed, 2 usage or settings, 3 out of reach."""
    try:
        status = cli.main(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("pipeline: stopped", err=True)
        sys.exit(130)
    except Exception as error:
        known = _status(error)
        if known is None:
            raise
        click.echo(f"pipeline: {error}", err=True)
        sys.exit(known)


def _status(error: Exception) -> int | None:
    """The exit status of what a user or their surroundings did; None for a bug of ours."""
    from pipeline.commands.common import CHECK_FAILED, OUT_OF_REACH, USAGE, Failure
    from pipeline.local import LocalError
    from pipeline.ports import LogUnavailable, StoreUnavailable
    from pipeline.rulebook.load import RulebookError
    from pipeline.settings import SettingsError

    match error:
        case Failure():
            return error.status
        case SettingsError() | LocalError():
            return USAGE
        case RulebookError():
            return CHECK_FAILED
        case StoreUnavailable() | LogUnavailable():
            return OUT_OF_REACH
        case _:
            return None
