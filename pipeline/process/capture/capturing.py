"""A selection as a test case: written, replayed, and compared with a replay of the real events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.domain.rules import Rulebook
from pipeline.domain.times import format_instant
from pipeline.ports import Store
from pipeline.process.capture.calls import call_of
from pipeline.process.capture.identifiers import Identifiers
from pipeline.process.capture.lots import Lots
from pipeline.process.capture.pseudonyms import Pseudonyms
from pipeline.process.capture.rewriting import AsItWas, Fiction, Rewriter
from pipeline.process.capture.selection import Selection
from pipeline.process.rulebook_runner import Came, run_case
from pipeline.rulebook.cases import case_of
from pipeline.rulebook.load import Document, document_digest
from pipeline.rulebook.reading import reading_of

Json = dict[str, Any]
NewStore = Callable[[], Store]


@dataclass(frozen=True, slots=True)
class Captured:
    """A case as plain values. `differing`: outcomes that the real events have and it has not, or
    the other way round, each in pseudonyms."""

    case: Json
    differing: list[str]


async def capture(
    selection: Selection,
    document: Document,
    rulebook: Rulebook,
    new_store: NewStore,
    *,
    until: int,
    region: str = "US",
) -> Captured:
    """Make a case of the events selected, with what the rulebook makes of them up to `until`."""
    reading = reading_of(document)
    known = Identifiers.of(selection.events, reading)
    names = Pseudonyms(known, Lots(rulebook.journeys), rulebook.refused, reading.literals, region)
    fiction = Fiction(names, reading)
    run = _Runner(selection, document, new_store, until, region)
    case, came = await run.case(fiction)
    _, really = await run.case(AsItWas())
    case["expect"] = [_output(each, rulebook) for each in came.outputs]
    case["decisions"] = [
        _decision(each, rulebook) for each in came.decisions if each["outcome"] != "fired"
    ]
    return Captured(case, _differing(came, really, names))


@dataclass(frozen=True, slots=True)
class _Runner:
    selection: Selection
    document: Document
    new_store: NewStore
    until: int
    region: str

    async def case(self, rewriter: Rewriter) -> tuple[Json, Came]:
        """The events so written, and what comes of them."""
        made: Json = {
            "name": f"captured up to {format_instant(self.until)}",
            "events": [call_of(taken, rewriter) for taken in self.selection.events],
            "until": format_instant(self.until),
        }
        digest = document_digest(self.document)
        case = case_of(made)
        return made, await run_case(case, self.document, digest, self.new_store(), self.region)


def _who(record: Mapping[str, Any]) -> Json:
    if record["userId"] is not None:
        return {"user": record["userId"]}
    return {"anonymous": record["anonymousId"]}


def _common(record: Mapping[str, Any], rulebook: Rulebook) -> Json:
    """Key and step, where they tell something."""
    made: Json = {} if record["key"] is None else {"key": record["key"]}
    steps = {each.name: len(each.steps) for each in rulebook.journeys}
    if steps.get(record["journey"], 0) > 1:
        made["step"] = record["step"]
    return made | _who(record)


def _output(record: Mapping[str, Any], rulebook: Rulebook) -> Json:
    """What is expected of a trigger or a retraction."""
    common = _common(record, rulebook)
    if record["type"] == "retraction":
        rest = {"reason": record["reason"], "at": record["at"]}
        return {"retraction": record["journey"], **common, **rest}
    rest = {"channel": record["channel"], "to": record["to"], "at": record["firedAt"]}
    return {"trigger": record["journey"], **common, **rest}


def _decision(record: Mapping[str, Any], rulebook: Rulebook) -> Json:
    rest = {name: record[name] for name in ("outcome", "reason") if record[name] is not None}
    common = _common(record, rulebook)
    return {"journey": record["journey"], **common, **rest, "at": record["decidedAt"]}


_COMPARED: Final = (
    "type", "journey", "version", "step", "variant", "channel", "outcome", "reason", "deadline",
    "firedAt", "decidedAt", "expiresAt", "at",
)  # fmt: skip


def _differing(came: Came, really: Came, names: Pseudonyms) -> list[str]:
    """What only one of both has. Real ids and addresses are compared by their pseudonyms."""

    def written(record: Mapping[str, Any], *, real: bool) -> str:
        parts = {name: record.get(name) for name in _COMPARED}
        for name in ("userId", "anonymousId"):
            value = record.get(name)
            parts[name] = names.id(value) if real and value is not None else value
        to = record.get("to")
        if real and to is not None:
            to = names.email(to) if "@" in to else names.phone(to)
        parts["to"] = to
        gates = [(gate["gate"], gate["verdict"]) for gate in record.get("gates", ())]
        return f"{parts} {gates}"

    mine = {written(each, real=False): each for each in (*came.outputs, *came.decisions)}
    theirs = {written(each, real=True): each for each in (*really.outputs, *really.decisions)}
    odd = [mine[text] for text in mine.keys() - theirs.keys()]
    lines = [f"{_said(each)}, by the pseudonyms alone" for each in odd]
    odd = [theirs[text] for text in theirs.keys() - mine.keys()]
    return sorted(lines + [f"{_said(each)}, by the real events alone" for each in odd])


def _said(record: Mapping[str, Any]) -> str:
    """Journey, step and outcome: nothing that tells who it was."""
    what = record.get("outcome") or record.get("type")
    reason = f" ({record['reason']})" if record.get("reason") else ""
    return f"{record['journey']} step {record['step']} {what}{reason}"
