"""One fictional name for each real one, the same wherever it stands.

Where the rules go by order (the greater messageId, the lowest number, of two users' starts with all
else equal the smaller id) pseudonyms keep it; where they draw by an id (hold-outs, experiments) a
pseudonym draws the same.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote

from pipeline.domain.ids import key_text
from pipeline.domain.times import parse_instant
from pipeline.process.capture.identifiers import Identifiers
from pipeline.process.capture.lots import Lots
from pipeline.process.capture.phones import fictional
from pipeline.wire.contact_points import read_email, read_phone

_EMAIL: Final = re.compile(r"[^\s@<>\"'()&?=/,;:]+(?:@|%40)[^\s@<>\"'()&?=/,;:%]+", re.IGNORECASE)
_IP: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_DIGITS: Final = re.compile(r"\+?\(?\d(?:[\s().\-/]{0,2}\d){6,}")
_QUERY: Final = re.compile(r"(?<=[?&#;])([^=&#;\s]+)=([^&#;\s]*)")
_LONG: Final = 8
"""An identifier this long is looked for within words, too."""
_SHORT: Final = 3
"""A key shorter than this may be part of anything."""
_NETS: Final = ("203.0.113", "198.51.100", "192.0.2")
"""Addresses that are kept for documentation."""
_HOSTS: Final = 254


class Pseudonyms:
    """Made of the identifiers of all events; what else is met is given a name when it is met."""

    def __init__(
        self,
        known: Identifiers,
        lots: Lots,
        refused: frozenset[str],
        literals: frozenset[str],
        region: str,
    ) -> None:
        """`refused` are ids that the rulebook says are nobody's, `literals` what it compares with:
        they stay.
        """
        self._known = known
        self._refused = refused
        self._literals = literals
        self._region = region
        self._lots = lots
        self._names: dict[str, dict[str, str]] = {}
        self._keep_order("message", known.messages, lambda n: f"m{n:04d}")
        # where the real ones are of an example's host, the fictional ones are of another
        real = any(email.endswith("@example.com") for email in known.emails)
        self._host = "example.net" if real else "example.com"
        self._keep_order("email", known.emails, self._person)
        for phone in sorted(known.phones):
            self.phone(phone)
        for id_ in sorted(known.roles):
            self.id(id_)
        for ip in sorted(known.ips):
            self.ip(ip)
        for key in known.keys:
            self.key(key)
        self._search = self._searched()

    def _keep_order(self, kind: str, texts: set[str], name: Callable[[int], str]) -> None:
        self._names[kind] = {text: name(n) for n, text in enumerate(sorted(texts), 1)}

    def _person(self, nth: int) -> str:
        return f"person{nth:03d}@{self._host}"

    def _name(self, kind: str, text: str, make: Callable[[int], str]) -> str:
        names = self._names.setdefault(kind, {})
        if text not in names:
            names[text] = make(len(names) + 1)
        return names[text]

    def id(self, text: str) -> str:
        """A userId or anonymousId."""
        if text.lower() in self._refused:
            return text
        names = self._names.setdefault("id", {})
        if text not in names:
            role = self._known.roles.get(text, "user")
            nth = 1 + sum(name.startswith(role) for name in names.values())

            def named(n: int) -> str:
                return f"{role}-{nth:03d}" if n == 0 else f"{role}-{nth:03d}-{n}"

            taken = set(names.values()) | self._known.roles.keys()
            names[text] = self._lots.alike(text, named, taken)
        return names[text]

    def message(self, text: str) -> str:
        """A messageId."""
        return self._names["message"][text]

    def phone(self, text: str) -> str:
        """Of an E.164 number, one from the same place."""
        names = self._names.setdefault("phone", {})
        # none of the real ones, or the next would have to stand before it
        return self._name(
            "phone", text, lambda _: fictional(text, self._known.phones | set(names.values()))
        )

    def email(self, text: str) -> str:
        """Of an email in lower case."""
        return self._name("email", text, self._person)

    def ip(self, text: str) -> str:
        """Of whatever stands for an ip."""
        return self._name("ip", text.strip(), _documented)

    def key(self, text: str) -> str:
        """Of a correlation key as text; the same as the id's where it is one."""
        if text in self._known.roles:
            return self.id(text)
        return self._name("key", text, lambda n: f"key-{n}")

    def word(self, text: str, kind: str = "text") -> str:
        """Of any other text."""
        return self.known(text) or self._name(kind, text, lambda n: f"{kind} {n}")

    def known(self, text: str) -> str | None:
        """Of a text that as a whole is an id, a key, a phone or an email; None for any other."""
        if text in self._known.roles:
            return self.id(text)
        if text in self._known.keys:
            return self.key(text)
        email = read_email(text)
        if email in self._known.emails:
            return self.email(email)
        phone = read_phone(text, self._region)
        return self.phone(phone) if phone in self._known.phones else None

    def number(self, value: float) -> str | None:
        """Of a number that is an id, a key or a phone; None for any other."""
        text = key_text(value)
        if text is None:
            return None
        phone = read_phone(value, self._region)
        return self.phone(phone) if phone in self._known.phones else self.known(text)

    def scrubbed(self, text: str) -> str:
        """A text that has to stay, without the identifiers in it."""
        whole = self.known(text)
        if whole is not None:
            return whole
        if text.lower() in self._refused or (not text.isdecimal() and parse_instant(text)):
            return text
        if self._search is not None:
            text = self._search.sub(self._found, text)
        text = _EMAIL.sub(self._email, text)
        text = _IP.sub(lambda m: m[0] if self._made("ip", m[0]) else self.ip(m[0]), text)
        if "://" in text or text.startswith("/"):
            text = _QUERY.sub(
                lambda m: f"{m[1]}={self.word(m[2], 'value')}".replace(" ", "-"), text
            )
        return _DIGITS.sub(self._digits, text)

    def _made(self, kind: str, text: str) -> bool:
        """Whether it is one of ours already."""
        return text in self._names.get(kind, {}).values()

    def _email(self, found: re.Match[str]) -> str:
        email = found[0].lower().replace("%40", "@")
        return email if self._made("email", email) else self.email(email)

    def _value(self, found: re.Match[str]) -> str:
        """A value in a URL; one that a condition names stays."""
        name, value = found.groups()
        if not value or any(value in literal for literal in self._literals):
            return found[0]
        return f"{name}={self.word(value, 'value')}".replace(" ", "-")

    def _digits(self, found: re.Match[str]) -> str:
        made = {name for names in self._names.values() for name in names.values()}
        if found[0] in made or any(found[0] in name for name in made):
            return found[0]
        phone = read_phone(found[0], self._region)
        if phone is not None:
            return self.phone(phone)
        return self._name("digits", found[0], lambda n: f"number {n}")

    def _found(self, found: re.Match[str]) -> str:
        return self._replacements.get(found[0].casefold(), "text")

    def _searched(self) -> re.Pattern[str] | None:
        """Finds every identifier, the longest first, also as a URL writes it."""
        known = self._known
        pairs = [(id_, self.id(id_)) for id_ in known.roles]
        pairs += [(key, self.key(key)) for key in known.keys if len(key) >= _SHORT]
        pairs += [(email, self.email(email)) for email in known.emails]
        pairs += [(ip, self.ip(ip)) for ip in known.ips if _is_ip(ip)]
        pairs += [(phone, self.phone(phone)) for phone in known.phones]
        pairs += [(phone[1:], self.phone(phone)) for phone in known.phones]
        pairs += [(m, self.message(m)) for m in known.messages if len(m) >= _LONG]
        pairs += [(word, self.word(word, "name")) for word in sorted(known.words)]
        self._replacements: dict[str, str] = {}
        for text, name in pairs:
            for spelling in (text, quote(text, safe=""), quote(text)):
                if not spelling.isspace() and text.lower() not in self._refused:
                    self._replacements.setdefault(spelling.casefold(), name)
        return _pattern(self._replacements)


def _pattern(texts: Iterable[str]) -> re.Pattern[str] | None:
    parts = []
    for text in sorted(texts, key=len, reverse=True):
        part = re.escape(text)
        parts.append(part if len(text) >= _LONG else rf"(?<![^\W_]){part}(?![^\W_])")
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return False
    return True


def _documented(nth: int) -> str:
    net, host = divmod(nth - 1, _HOSTS)
    return f"{_NETS[net % len(_NETS)]}.{host + 1}"
