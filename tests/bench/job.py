"""The job that every system does in a benchmark, and how it is named to all of them.

Raw Segment events become contacts, opt-ins, and a trigger for every loan that was approved and
not signed within `WAIT` seconds, whose person opted in to calls and has not contacted support. So
every event counts: a system has to keep, for each person, how often each event happened.
"""

from typing import Any, Final

Json = dict[str, Any]

WAIT: Final = 60
"""Seconds of event time from the approval to the trigger."""
PARTITIONS: Final = 8
"""Of the raw topic, and of what a system puts between its stages."""
WORKERS: Final = 2

JOURNEY: Final = "approved-not-signed"
APPROVED: Final = "Loan Application Approved"
SIGNED: Final = "Loan Signed"
SUPPORT: Final = "Support Contacted"

RULEBOOK: Final = f"""\
journey: {JOURNEY}
version: 1
key: properties.loanId
start: {{event: {APPROVED}}}
unless: [{{event: {SIGNED}}}]
audience: events["{SUPPORT}"].count == 0
steps:
  - {{after: %ds, channel: voice}}
"""
"""Our version of the job; the seconds of the wait are to be filled in."""
