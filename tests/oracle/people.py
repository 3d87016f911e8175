"""Who did what: devices, links, aliases, erased ids (rules 16, 17, 20), in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.oracle.events import Event

Person = tuple[str, str]  # ("user", the userId that goes on) or ("device", anonymousId)


@dataclass(frozen=True, order=True)
class Link:
    time: int
    message_id: str
    user: str


@dataclass
class People:
    merge_known: bool
    links: dict[str, list[Link]] = field(default_factory=dict)
    into: dict[str, str] = field(default_factory=dict)  # userId -> the userId it was merged into
    users: set[str] = field(default_factory=set)
    holder: dict[int, Person] = field(
        default_factory=dict
    )  # event -> the userId or device it was handed to
    erased_users: set[str] = field(default_factory=set)
    erased_devices: set[str] = field(default_factory=set)

    def root(self, user: str) -> str:
        while user in self.into:
            user = self.into[user]
        return user

    def in_force(self, device: str, time: int) -> str | None:
        """The userId that a device belongs to at an event time (rule 16)."""
        links = sorted(self.links.get(device, []))
        if not links:
            return None
        before = [link for link in links if link.time <= time]
        if before:
            return before[-1].user
        return [link for link in links if link.time == links[0].time][-1].user

    def would_hold(self, event: Event) -> Person | None:
        """Whose event it is without the link or alias that it brings itself."""
        if event.user:
            return ("user", self.root(event.user))
        if event.anon:
            user = self.in_force(event.anon, event.time)
            return ("user", self.root(user)) if user else ("device", event.anon)
        return None

    def person(self, event: Event) -> Person:
        """The person whose event it is as known now."""
        kind, name = self.holder[event.seq]
        return (kind, self.root(name)) if kind == "user" else (kind, name)

    def take(self, event: Event) -> None:
        if event.user:
            self.users.add(event.user)
            self.holder[event.seq] = ("user", event.user)
            if event.anon and event.anon not in self.erased_devices:
                self._link(event.anon, Link(event.time, event.message_id, event.user))
            if event.type == "alias" and event.previous:
                self._alias(event, event.previous, event.user)
        elif event.anon:
            user = self.in_force(event.anon, event.time)
            self.holder[event.seq] = ("user", user) if user else ("device", event.anon)

    def _link(self, device: str, link: Link) -> None:
        if (
            device not in self.links
        ):  # the first link hands over everything that the device did so far
            for seq, holder in self.holder.items():
                if holder == ("device", device):
                    self.holder[seq] = ("user", link.user)
        self.links.setdefault(device, []).append(link)

    def _alias(self, event: Event, previous: str, user: str) -> None:
        if previous not in self.erased_users:
            self._merge(previous, user)
        if previous in self.erased_devices:
            return
        holder = self.in_force(previous, event.time)
        if holder is None:
            self._link(previous, Link(event.time, event.message_id, user))
        elif holder not in self.erased_users:
            self._merge(holder, user)

    def _merge(self, previous: str, user: str) -> None:
        old, new = self.root(previous), self.root(user)
        if old != new and self.merge_known:
            self.into[old] = new

    def is_erased(self, event: Event) -> bool:
        if event.user:
            return event.user in self.erased_users
        if event.anon in self.erased_devices:
            return True
        return event.anon is not None and self.in_force(event.anon, event.time) in self.erased_users

    def erase(self, name: str) -> Person:
        """Mark all ids of the person of this id as erased; returns who it was."""
        known = (
            self.users
            | set(self.into)
            | set(self.into.values())
            | {link.user for links in self.links.values() for link in links}
        )
        newest = max(self.links.get(name, []), default=None)
        if name in known:
            person: Person = ("user", self.root(name))
        elif newest:
            person = ("user", self.root(newest.user))
        elif ("device", name) in self.holder.values():
            person = ("device", name)
        else:  # nobody knows it: as a userId and as a device
            self.erased_devices.add(name)
            person = ("user", name)
        if person[0] == "device":
            self.erased_devices.add(name)
            return person
        theirs = {user for user in known | {person[1]} if self.root(user) == person[1]}
        self.erased_users |= theirs
        self.erased_devices |= {
            device
            for device, links in self.links.items()
            if all(link.user in self.erased_users for link in links)
        }
        return person
