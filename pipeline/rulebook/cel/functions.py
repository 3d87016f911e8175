"""CEL's standard functions. Each takes values and raises where there is no such overload."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import re2  # type: ignore[import-untyped]

from pipeline.domain.ids import key_text
from pipeline.rulebook.cel.values import TypeName, Unjudged, in_range

TYPES: Final[Mapping[type, TypeName]] = {
    bool: TypeName("bool"),
    int: TypeName("int"),
    float: TypeName("double"),
    str: TypeName("string"),
    list: TypeName("list"),
    dict: TypeName("map"),
    type(None): TypeName("null_type"),
    datetime: TypeName("timestamp"),
    timedelta: TypeName("duration"),
    TypeName: TypeName("type"),
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_DIGITS_MAX: Final = 40
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_SPAN: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(d|h|ms|m|s|us|ns)", re.ASCII)
_SPANS: Final = re.compile(rf"([+-]?)((?:{_SPAN.pattern})+|0)", re.ASCII)
_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_OFFSET: Final = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)


class Function(NamedTuple):
    """What a call does, and with how many arguments (of a method: its subject counts)."""

    call: Callable[..., Any]
    least: int
    most: int


def _size(value: Any) -> int:
    if isinstance(value, str | list | Mapping) and not isinstance(value, TypeName):
        return len(value)
    raise Unjudged


def _timestamp(value: Any) -> datetime:
    if type(value) is datetime:
        return value
    if type(value) is int:
        return _EPOCH + timedelta(seconds=value)
    if type(value) is str and _RFC3339.fullmatch(value):
        return datetime.fromisoformat(value.upper())
    raise Unjudged


def _duration(value: Any) -> timedelta:
    if type(value) is timedelta:
        return value
    whole = _SPANS.fullmatch(value) if type(value) is str else None
    if whole is None:
        raise Unjudged
    parts = (timedelta(seconds=float(n) * _UNITS[unit]) for n, unit in _SPAN.findall(whole[2]))
    total = sum(parts, timedelta())
    return -total if whole[1] == "-" else total


def _int(value: Any) -> int:
    if type(value) is int:
        return in_range(value)
    if type(value) is float:
        return in_range(int(value))
    if type(value) is datetime:
        return (value - _EPOCH) // _SECOND
    if type(value) is str and len(value) <= _DIGITS_MAX and re.fullmatch(r"-?[0-9]+", value):
        return in_range(int(value))
    raise Unjudged


def _double(value: Any) -> float:
    if type(value) in {int, float}:
        return float(value)
    if type(value) is str and len(value) <= _DIGITS_MAX and "_" not in value:
        return float(value)
    raise Unjudged


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) in {bool, int, float}:
        text = key_text(value)
        return str(value) if text is None else text
    if type(value) is datetime:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if type(value) is timedelta:
        return f"{key_text(value.total_seconds())}s"
    raise Unjudged


def _bool(value: Any) -> bool:
    if type(value) is bool:
        return value
    if value in {"true", "True", "TRUE", "t", "1"}:
        return True
    if value in {"false", "False", "FALSE", "f", "0"}:
        return False
    raise Unjudged


def _type(value: Any) -> TypeName:
    known = TYPES.get(type(value))
    if known is None and isinstance(value, Mapping):
        return TYPES[dict]
    return known or TypeName("unknown")


def regex(pattern: str) -> Any:
    """Compile a pattern of RE2: linear in the text, whatever the pattern."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _matches(text: Any, pattern: Any) -> bool:
    _texts(text, pattern)
    return regex(pattern).search(text) is not None


def _texts(*values: Any) -> None:
    if any(type(value) is not str for value in values):
        raise Unjudged


def _of_text(judge: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def call(text: Any, part: Any) -> bool:
        _texts(text, part)
        return judge(text, part)

    return call


def _zone(name: str) -> tzinfo:
    offset = _OFFSET.fullmatch(name)
    if offset is None:
        return ZoneInfo(name)
    span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return timezone(-span if offset[1] == "-" else span)


def _part(
    of_time: Callable[[datetime], int], of_span: Callable[[timedelta], int] | None = None
) -> Function:
    def call(value: Any, zone: Any = "UTC") -> int:
        _texts(zone)
        if type(value) is datetime:
            return of_time(value.astimezone(_zone(zone)))
        if type(value) is timedelta and of_span is not None:
            return of_span(value)
        raise Unjudged

    return Function(call, 1, 2)


def _whole(unit: timedelta) -> Callable[[timedelta], int]:
    return lambda span: abs(span) // unit * (-1 if span < timedelta() else 1)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "size": Function(_size, 1, 1),
    "timestamp": Function(_timestamp, 1, 1),
    "duration": Function(_duration, 1, 1),
    "int": Function(_int, 1, 1),
    "double": Function(_double, 1, 1),
    "string": Function(_string, 1, 1),
    "bool": Function(_bool, 1, 1),
    "dyn": Function(lambda value: value, 1, 1),
    "type": Function(_type, 1, 1),
    "matches": Function(_matches, 2, 2),
}
METHODS: Final[Mapping[str, Function]] = {
    "size": Function(_size, 1, 1),
    "matches": Function(_matches, 2, 2),
    "startsWith": Function(_of_text(str.startswith), 2, 2),
    "endsWith": Function(_of_text(str.endswith), 2, 2),
    "contains": Function(_of_text(str.__contains__), 2, 2),
    "getFullYear": _part(lambda t: t.year),
    "getMonth": _part(lambda t: t.month - 1),
    "getDate": _part(lambda t: t.day),
    "getDayOfMonth": _part(lambda t: t.day - 1),
    "getDayOfWeek": _part(lambda t: t.isoweekday() % 7),
    "getDayOfYear": _part(lambda t: t.timetuple().tm_yday - 1),
    "getHours": _part(lambda t: t.hour, _whole(timedelta(hours=1))),
    "getMinutes": _part(lambda t: t.minute, _whole(timedelta(minutes=1))),
    "getSeconds": _part(lambda t: t.second, _whole(_SECOND)),
    "getMilliseconds": _part(
        lambda t: t.microsecond // 1000, lambda d: d // timedelta(milliseconds=1) % 1000
    ),
}
