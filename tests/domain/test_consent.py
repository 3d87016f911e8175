"""An address weighs opt-ins: the newest by its own timestamp wins, an opt-out wins a tie."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import address
from pipeline.domain.claims import Claim
from pipeline.domain.entities import Address
from pipeline.domain.messages import Claimed
from pipeline.domain.outputs import Evidence, Happening, OptIn, Who
from pipeline.domain.turn import Rules, Turn
from tests.domain.strategies import claims, ref

NUMBER = "+12125550100"


def weighed(given_claims: list[Claim]) -> tuple[Address, Turn]:
    entity, turn = Address(), Turn(1, Rules())
    for claim in given_claims:
        address.take(entity, NUMBER, Claimed("phone", claim, Who("u1", None)), turn)
    return entity, turn


@given(st.lists(claims(), min_size=1, max_size=8), st.randoms())
def test_the_winner_does_not_depend_on_the_order_of_arrival(
    given_claims: list[Claim], chance: random.Random
) -> None:
    shuffled = list(given_claims)
    chance.shuffle(shuffled)
    one, other = weighed(given_claims)[0], weighed(shuffled)[0]

    assert one.consents["voice"].subscribed == other.consents["voice"].subscribed
    assert one.consents["voice"].timestamp == other.consents["voice"].timestamp


@given(st.lists(claims(), min_size=1, max_size=8))
def test_an_opt_out_is_beaten_only_by_a_newer_opt_in(given_claims: list[Claim]) -> None:
    newest = max(claim.timestamp for claim in given_claims)
    out = any(c.timestamp == newest and not c.subscribed for c in given_claims)

    assert weighed(given_claims)[0].consents["voice"].subscribed != out


@given(st.lists(claims(), min_size=1, max_size=8))
def test_every_claim_leaves_evidence_and_every_change_a_record(given_claims: list[Claim]) -> None:
    _, turn = weighed(given_claims)
    evidence = [said for said in turn.said if isinstance(said, Evidence)]
    records = [said for said in turn.said if isinstance(said, OptIn)]

    assert len(evidence) == len(given_claims)
    assert len(records) == sum(said.reason is None for said in evidence)


def test_a_change_of_status_is_a_happening_and_a_repetition_is_not() -> None:
    one = weighed([])[1]
    assert one.said == []
    claim = Claim("voice", True, 5, "192.0.2.1", None, None, "identify", ref("m1", 5), "u1")  # noqa: FBT003
    _, turn = weighed([claim, claim, claim._replace(timestamp=6)])

    names = [said.event for said in turn.said if isinstance(said, Happening)]
    assert names == ["Contact Subscribed"]
