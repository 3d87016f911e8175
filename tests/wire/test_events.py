"""Events within records: what nobody reads stays bytes, and keeps them."""

from pathlib import Path

import msgspec
import pytest

from pipeline.domain.events import Details, Event, Source
from pipeline.domain.messages import Did, Position, Record
from pipeline.domain.refs import Ref
from pipeline.wire.events import Undecoded
from pipeline.wire.records import UnreadableRecord, decode, encode

GOLDEN = Path(__file__).parents[1] / "golden"
TO, POSITION = Ref("person", "u1"), Position("raw/0", 7, 1)
EVENT = Event(
    type="track",
    name="Loan Signed",
    user_id="u1",
    anonymous_id=None,
    message_id="m1",
    time=1,
    kafka_time=2,
    source=Source("segment.raw", 0, 7),
    details=Details({"amount": 1.5, "list": [1, None]}, {"ip": "203.0.113.7"}),
)


def record(event: Event) -> Record:
    return Record(TO, POSITION, None, Did(event))


def event_of(value: bytes) -> Event:
    read = decode(value)
    assert isinstance(read, Record)
    assert isinstance(read.message, Did)
    return read.message.event


def test_what_is_passed_on_keeps_its_bytes_whether_or_not_somebody_read_it() -> None:
    written = encode(record(EVENT))
    unread, read = event_of(written), event_of(written)
    assert read.properties == EVENT.properties
    assert encode(record(unread)) == encode(record(read)) == written


def test_details_keep_bytes_that_this_code_would_write_otherwise() -> None:
    foreign = msgspec.msgpack.encode(({"b": 1, "a": 2}, {})).replace(b"\x01", b"\xcd\x00\x01")
    event = EVENT._replace(details=Undecoded(foreign))
    assert event.properties == {"b": 1, "a": 2}
    assert foreign in encode(record(event_of(encode(record(event)))))


def test_an_event_of_version_1_is_passed_on_as_one_of_this_version() -> None:
    old = event_of((GOLDEN / "records-1" / "did.bin").read_bytes())
    assert event_of(encode(record(old))) == old
    assert encode(record(old)) == encode(record(event_of(encode(record(old)))))


@pytest.mark.parametrize(
    "message", [7, [], {"event": 7}, {"event": {}}, {"event": {"details": b""}}], ids=repr
)
def test_what_is_no_message_of_version_1_is_unreadable(message: object) -> None:
    with pytest.raises(UnreadableRecord):
        decode(msgspec.msgpack.encode((1, "did", message, (TO, POSITION, None))))


@pytest.mark.parametrize("length", range(12))
def test_a_record_cut_off_is_unreadable(length: int) -> None:
    with pytest.raises(UnreadableRecord):
        decode(encode(record(EVENT))[:length])
