"""`python -m tests.chaos --minutes 10 --seed 7`; exit status 1 on any violation."""

import argparse
import asyncio
import logging
import sys
import time

from tests.chaos.faults import KINDS, USUAL
from tests.chaos.mutants import MUTANTS
from tests.chaos.run import Outcome, Plan, run, table


def main() -> int:
    known = [kind for lane in KINDS.values() for kind in lane]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument(
        "--faults", help=f"comma separated, of {', '.join(known)}; most if left out"
    )
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--rate", type=float, default=250.0, help="events a second")
    parser.add_argument("--after", type=float, default=30.0, help="seconds until a deadline")
    parser.add_argument(
        "--late", action="store_true", help="the workers' threads come late, as on overloaded cores"
    )
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="break the product on purpose")
    parser.add_argument("--keep", action="store_true", help="logs, diary and topics in any case")
    given = parser.parse_args()
    faults = list(USUAL)
    if given.faults is not None:
        faults = [kind for kind in given.faults.split(",") if kind]
        if unknown := set(faults) - set(known):
            parser.error(f"no such faults: {', '.join(sorted(unknown))}")
    plan = Plan(
        minutes=given.minutes,
        seed=given.seed,
        faults=faults,
        brokers=given.brokers,
        workers=given.workers,
        rate=given.rate,
        after=given.after,
        late=given.late,
        mutant=given.mutant,
        keep=given.keep,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers go away all the time
    outcome = asyncio.run(run(plan, lambda text: print(text, flush=True)))
    show(outcome)
    return 0 if outcome.good else 1


def show(outcome: Outcome) -> None:
    rows = table(outcome)
    width = max(map(len, rows))
    print("\n" + "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items()))
    if outcome.good:
        print("\nno violation", f"; see {outcome.folder}" if outcome.plan.keep else "", sep="")
        return
    for kind, found in outcome.verdict.violations.items():
        for one in found[:5]:
            print(f"\nVIOLATION {kind} ({len(found)}): {one}")
    print(f"\nseed {outcome.plan.seed}; logs, diary and topics are in {outcome.folder}")


if __name__ == "__main__":
    sys.exit(main())
