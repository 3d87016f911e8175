"""What people say of themselves: a number, where they are, whether they want to be called.

Drawn from a seed of its own, so that half of the histories are as they are without it. A burst has
one number or word on consent at most, and nothing else but where somebody is: which of two numbers
is known first decides what an opt-out means.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

Json = dict[str, Any]
ERASED = 0.15
"""Share of the histories that end with an erasure."""
TALKATIVE = 0.5
"""Share of the histories with any of it."""
INSTEAD = 0.4
"""Share of their bursts."""
RETICENT = 0.3
"""Share of them in which a number comes without opt-ins, mostly, so that it matters what had been
said before it came."""


class Talk:
    """Of one history."""

    def __init__(self, seed: int, phones: Sequence[str]) -> None:
        self.erases = Random(f"erasure:{seed}").random() < ERASED
        self.rng = Random(f"talk:{seed}")
        self._phones = phones
        self._wish: tuple[Json, int] | None = None
        self._share = INSTEAD if self.rng.random() < TALKATIVE else 0.0
        reticent = self._share and Random(f"reticent:{seed}").random() < RETICENT
        self.opting = 0.2 if reticent else 0.95
        """How likely an opt-in, or opt-out, comes with a number."""
        self._planned = ["talk", "graph", "talk"] if reticent else []
        self._numbers = (0.2, 0.9) if reticent else (0.45, 0.7)
        """How likely it is about a number: where no opt-in waits for one, and where one does."""

    @property
    def talks(self) -> bool:
        """Whether there is any of it."""
        return self._share > 0

    def instead(self, kind: str) -> str:
        """Of what kind a burst is."""
        if self._planned:
            return self._planned.pop(0)
        return "talk" if self._share and self.rng.random() < self._share else kind

    def calls(
        self, number: int, who: Callable[[], Json], traits: Callable[[str], Json]
    ) -> Iterator[tuple[Json, int, Json]]:
        """Whose, so many bursts late by event time, and what: in burst `number`.

        `traits` are those that come with a phone, and opt-ins for it.
        """
        rng = self.rng
        late = rng.choice([0, 0, rng.randint(0, number)])
        form = rng.random()
        if form < self._numbers[self._wish is not None]:
            call = {"type": "identify", "traits": traits(rng.choice(self._phones))}
            if self._wish and rng.random() < 0.7:  # the number that an opt-in waits for
                wisher, then = self._wish
                yield wisher, number - then, call
            else:
                yield who(), late, call
        else:
            named = {"phone": rng.choice(self._phones)} if rng.random() < 0.2 else {}
            name = rng.choice(["Subscribed", "Unsubscribed"])
            whose = who()
            if name == "Subscribed" and not named:
                self._wish = (whose, number - late)
            yield whose, late, {"type": "track", "event": name, "properties": named}
        if rng.random() < 0.6:
            state = {"state": rng.choice(["NY", "TX"])}
            yield who(), late, {"type": "identify", "traits": state}
