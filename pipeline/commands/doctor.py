"""`pipeline doctor`: checks what the promises rest on, each finding with its remedy."""

from typing import TYPE_CHECKING

import click

from pipeline.commands.common import (
    CHECK_FAILED,
    OUT_OF_REACH,
    json_option,
    print_json,
    reachable,
    run,
)

if TYPE_CHECKING:
    from pipeline.commands.doctor_redis import Finding
    from pipeline.settings import Settings


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check broker, topics, Redis, rulebook and clocks: what is wrong, what it breaks, a remedy.

    Exit status 1 if a finding is fatal, 3 if a server is out of reach.
    """
    findings = run(_examine(reachable()))
    for found in findings:
        if as_json:
            said = ("level", "what", "breaks", "remedy")
            print_json({name: getattr(found, name) for name in said})
        else:
            breaks = f": {found.breaks}" if found.breaks else ""
            remedy = f" — {found.remedy}" if found.remedy else ""
            click.echo(f"{found.level:<6} {found.what}{breaks}{remedy}")
    if any(found.unreachable for found in findings):
        raise SystemExit(OUT_OF_REACH)
    if any(found.level == "fatal" for found in findings):
        raise SystemExit(CHECK_FAILED)


async def _examine(settings: "Settings") -> list["Finding"]:
    from pipeline.commands import doctor_checks as checks
    from pipeline.commands import doctor_kafka as kafka
    from pipeline.commands.doctor_redis import redis
    from pipeline.commands.reach import reach

    brokers = await checks.broker(settings)
    async with reach(settings, first=False) as pipeline:
        store = await redis(settings, pipeline.clock.now())
        findings = brokers + store
        if not any(found.unreachable for found in brokers):
            topics = await checks.topics(settings)
            findings += topics
            findings += await kafka.durability(settings)
            # without its topics, or the state, there is nothing to compare
            if not any(found.level == "fatal" for found in topics) and not any(
                found.unreachable for found in store
            ):
                now = pipeline.clock.now()
                findings += await kafka.belonging(pipeline)
                findings += await checks.state(pipeline)
                findings += await kafka.retention(pipeline, now)
                findings += await checks.broker_clock(pipeline, now)
    return findings
