"""From the bytes of a record to single calls: batches unpacked, limits held."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.wire import strict_json
from pipeline.wire.common_fields import call_type, pick
from pipeline.wire.verdicts import Decoded, DropReason, RejectReason

MAX_BATCH: Final = 2_500
"""Segment's limit of events in one batch."""

MAX_UNPACKED_BYTES: Final = 16 * 1024 * 1024
"""What one record may grow to by what its envelope says for each of its calls."""

_SHARED: Final = (
    ("context", "context"),
    ("integrations", "integrations"),
    ("sentAt", "sent_at"),
    ("receivedAt", "received_at"),
)
"""What an envelope says for each of its calls, which may say otherwise."""


def unpack(value: bytes | None, decoded: Decoded) -> Iterable[tuple[int, dict[str, object]]]:
    """Each call with its place in the batch (0 without one); refusals go into `decoded`."""
    try:
        record, small = strict_json.load(value)
    except strict_json.Unreadable as problem:
        decoded.reject(0, problem.reason, problem.detail)
        return ()
    if not isinstance(record, dict):
        decoded.reject(0, RejectReason.NOT_AN_OBJECT)
        return ()
    if "batch" in record and call_type(record.get("type")) is None:
        return _unpack_batch(record, decoded, small=small)
    # most records are small enough that no single part of them needs measuring
    if not small and (fault := strict_json.fault(record)):
        decoded.reject(0, fault)
        return ()
    return ((0, record),)


def _unpack_batch(
    envelope: dict[str, object], decoded: Decoded, *, small: bool
) -> Iterator[tuple[int, dict[str, object]]]:
    calls = envelope["batch"]
    if not isinstance(calls, list):
        decoded.reject(0, RejectReason.INVALID_BATCH)
        return
    if not calls:
        decoded.drop(0, DropReason.EMPTY_BATCH)
    shared = {
        camel: value
        for camel, snake in _SHARED
        if (value := pick(envelope, camel, snake)) is not None
    }
    if not small and (fault := strict_json.fault(shared)):
        decoded.reject(0, fault, "what the batch says for all its events is over a limit")
        return
    shared_bytes = 0 if small or not shared else strict_json.size(shared)
    if shared_bytes * min(len(calls), MAX_BATCH) > MAX_UNPACKED_BYTES:
        decoded.reject(0, RejectReason.TOO_LARGE, "the batch with what it says for all its events")
        return
    for index, call in enumerate(calls[:MAX_BATCH]):
        if not isinstance(call, dict):
            decoded.reject(index, RejectReason.NOT_AN_OBJECT)
        elif not small and (fault := strict_json.fault(call, shared_bytes)):
            decoded.reject(index, fault)
        else:
            _share(shared, call)
            yield index, call
    if (beyond := len(calls) - MAX_BATCH) > 0:
        detail = f"{beyond} events beyond the first {MAX_BATCH}, which were taken"
        decoded.reject(MAX_BATCH, RejectReason.BATCH_TOO_LONG, detail)


def _share(shared: dict[str, object], call: dict[str, object]) -> None:
    for camel, snake in _SHARED:
        if camel not in shared:
            continue
        value = shared[camel]
        own = pick(call, camel, snake)
        if own is None:
            call[camel] = value
        elif isinstance(own, dict) and isinstance(value, dict):
            call[camel] = value | own
