"""Mutants of the rules: of consent, of cancels and deadlines."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from pipeline.domain import (
    case,
    consent,
    firing,
    judging,
    reviews,
    schedule,
    subject,
    waits,
    weighing,
)
from pipeline.domain.entities import Address
from pipeline.domain.facts import Facts
from pipeline.domain.messages import Claimed
from pipeline.domain.outputs import Attempt, Consent, Evidence, Trigger, decision_on
from pipeline.domain.profile import Profile
from pipeline.domain.turn import Turn
from pipeline.domain.versions import Versions
from pipeline.domain.waits import Wait
from tests.simulation.mutant import mutant, nothing

YEARS = 1 << 40

# consent


@mutant
def opt_in_wins_a_tie() -> Iterator[None]:
    """Of an opt-in and an opt-out of one time the opt-in counts."""
    weigh = weighing.weigh

    def kind(to: Address, name: str, claimed: Claimed, turn: Turn) -> None:
        said = claimed.claim
        now = to.consents.get(said.channel)
        tie = now is not None and now.timestamp == said.timestamp
        if tie and said.subscribed:
            del to.consents[said.channel]
        if not tie or said.subscribed:
            weigh(to, name, claimed, turn)

    with patch.object(weighing, "weigh", kind):
        yield


@mutant
def newest_opt_in_is_the_last_to_come() -> Iterator[None]:
    """What is said of an address counts by arrival, not by its own time."""
    weigh = weighing.weigh

    def last(to: Address, name: str, claimed: Claimed, turn: Turn) -> None:
        to.consents.pop(claimed.claim.channel, None)
        weigh(to, name, claimed, turn)

    with patch.object(weighing, "weigh", last):
        yield


@mutant
def opt_out_counts_for_who_said_it() -> Iterator[None]:
    """... and not for another who has the number, too."""
    weigh = weighing.weigh

    def own(to: Address, name: str, claimed: Claimed, turn: Turn) -> None:
        first = to.user_ids[0] if to.user_ids else claimed.who.user_id
        if claimed.claim.subscribed or claimed.who.user_id == first:
            weigh(to, name, claimed, turn)

    with patch.object(weighing, "weigh", own):
        yield


@mutant
def opt_out_means_one_address() -> Iterator[None]:
    """An opt-out event is told to the primary address only, and not to those that come later."""

    def narrow(profile: Profile, who: Any, claim: Any, told: str | None, turn: Turn) -> None:
        primary = profile.phones.primary()
        if primary is not None and primary != told:
            consent._tell(claim, who, primary, turn)

    with patch.object(consent, "_everywhere", narrow):
        yield


@mutant
def overruled_opt_outs_are_forgotten() -> Iterator[None]:
    """With an opt-in an erasure takes away what it had won over."""
    with patch.object(weighing, "_overrule", nothing):
        yield


@mutant
def opt_out_retracts_nothing() -> Iterator[None]:
    """What is out at an address that opted out stays as it is."""
    with patch.object(firing, "opted_out", nothing):
        yield


@mutant
def ignored_claims_leave_no_evidence() -> Iterator[None]:
    """An opt-in or opt-out that an address does not take is told to nobody."""

    def silent(turn: Turn, output: Any) -> None:
        if not isinstance(output, Evidence) or output.reason is None:
            say(turn, output)

    say = Turn.say
    with patch.object(Turn, "say", silent):
        yield


@mutant
def trigger_says_another_consent() -> Iterator[None]:
    """What it shows as consent is of its own time, without who said it where."""
    fire = firing._fire

    def vague(at: Address, attempt: Attempt, rests_on: Consent, turn: Turn) -> None:
        fire(at, attempt, replace(rests_on, timestamp=turn.now, ip=None), turn)

    with patch.object(firing, "_fire", vague):
        yield


@mutant
def nothing_is_fed_back() -> Iterator[None]:
    """Segment is not told of triggers and retractions."""
    with patch.object(firing, "_happened", nothing):
        yield


# cancels, deadlines


@mutant
def late_cancel_retracts_nothing() -> Iterator[None]:
    """A cancel that comes after its trigger is passed over."""
    with patch.object(reviews, "_withdraw", nothing):
        yield


@mutant
def best_before_ignored() -> Iterator[None]:
    """What is decided later than it may be fires all the same."""
    pass_time, attempt_now = reviews.pass_time, firing.attempt_now

    def patient(facts: Facts, versions: Versions, now: int) -> reviews.Review:
        if versions.paused:
            return pass_time(facts, versions, now)
        with patch.object(reviews, "derive", _lasting):
            result = pass_time(facts, versions, now)
        for due in result.judge:
            due.wait.journey = versions[due.wait.anchor.version]
        return result

    def whenever(at: Address, attempt: Attempt, turn: Turn) -> None:
        said = len(turn.said)
        attempt_now(at, replace(attempt, expires_at=max(attempt.expires_at, turn.now)), turn)
        for place, output in enumerate(turn.said[said:], said):
            if isinstance(output, Trigger):
                as_it_was = replace(output.attempt, expires_at=attempt.expires_at)
                turn.said[place] = replace(output, attempt=as_it_was)

    with (
        patch.object(subject, "pass_time", patient),
        patch.object(case, "pass_time", patient),
        patch.object(firing, "attempt_now", whenever),
    ):
        yield


def _lasting(facts: Facts, versions: Versions) -> waits.Derived:
    """Waits whose steps may be decided at any time."""
    derived = waits.derive(facts, versions)
    for wait in derived.waits:
        steps = tuple(replace(step, expires=YEARS) for step in wait.journey.steps)
        wait.journey = replace(wait.journey, steps=steps)
    return derived


@mutant
def lateness_is_not_waited_for() -> Iterator[None]:
    """A step is decided at its deadline, whatever the journey says of late events."""

    def at_once(self: Wait, step: int) -> int:
        return max(self.deadline(step), self.anchor.taken_at)

    with patch.object(Wait, "due", at_once):
        yield


@mutant
def lookback_ignored() -> Iterator[None]:
    """A cancel before its start ends nothing."""
    means = waits.means

    def later(cancel: Any, anchor: Any, versions: Any) -> bool:
        return cancel.ref.time >= anchor.ref.time and means(cancel, anchor, versions)

    with patch.object(waits, "means", later), patch.object(reviews, "means", later):
        yield


# gates


@mutant
def cooldown_ignored() -> Iterator[None]:
    """A number is called again right after the last time."""
    judged = firing._judged

    def hot(at: Address, attempt: Attempt, *rest: Any) -> tuple[Attempt, str | None]:
        return judged(at, replace(attempt, cooldown=0), *rest)

    with patch.object(firing, "_judged", hot):
        yield


@mutant
def everybody_is_contacted() -> Iterator[None]:
    """Nobody is held out."""

    def none(*_: Any) -> bool:
        return False

    with patch.object(judging, "held_out", none):
        yield


@mutant
def everybody_gets_one_variant() -> Iterator[None]:
    """The steps of one variant are everybody's."""
    with patch.object(schedule, "fraction", lambda *_: 0.0):
        yield


@mutant
def all_suppressions_have_one_reason() -> Iterator[None]:
    """Who opted out is said to have never opted in."""

    def vague(attempt: Attempt, outcome: Any, reason: str | None, *rest: Any) -> Any:
        return decision_on(
            attempt, outcome, "no_consent" if reason == "opted_out" else reason, *rest
        )

    with patch.object(firing, "decision_on", vague):
        yield
