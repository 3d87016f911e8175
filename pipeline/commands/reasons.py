"""Outcomes and reasons in words, for people; records carry the codes."""

from typing import Final

OUTCOMES: Final = {
    "fired": "a trigger was sent",
    "cancelled": "no trigger: it was settled before",
    "suppressed": "no trigger: a gate was closed",
    "expired": "no trigger: decided too late to be of use",
    "superseded": "no trigger: another start or step goes on for it",
    "ignored": "the start opened no wait",
    "erased": "no trigger: the person was erased",
}
REASONS: Final = {
    "cancelled": "an event under `unless` came",
    "missing_key": "the start has no usable key",
    "missing_date": "the start names no date that can be waited for",
    "once": "the journey allows one wait a key, ever",
    "stale_start": "it came for a wait that is over already",
    "repeat": "a start within a wait that goes on (repeat: keep_first)",
    "restart": "a later start took its place (repeat: restart)",
    "merged": "a merge joined it with another wait, which goes on",
    "best_before": "later than deadline + expires",
    "paused": "its best-before passed while the journey was paused",
    "dropped": "an apply dropped what was open of older versions, or has no such step any more",
    "later_step": "a later step on the same channel was due at the same time",
    "audience": "the audience condition was false, or could not be judged",
    "condition": "the step's `when` was false, or could not be judged",
    "holdout": "the person is in the hold-out share",
    "no_address": "no phone or email was known for the channel",
    "no_consent": "nobody ever opted this address in for the channel",
    "opted_out": "the address is opted out of the channel",
    "cooldown": "this journey fired to the same address too short a time before",
    "limits": "the address or the person has had as many triggers as calling.yaml allows",
    "window": "the calling hours were closed (closed: suppress)",
    "erasure": "right to erasure",
}
RETRACTIONS: Final = {
    "late_cancel": "an event under `unless` from before the deadline came late; raise `lateness`",
    "cancelled_after_fire": "an event under `unless` came after the trigger",
    "opted_out": "the address opted out of the channel",
    "erased": "right to erasure",
}
