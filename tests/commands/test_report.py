"""The page of a backtest: everything on it, nothing from outside, nobody's data."""

from collections.abc import Sequence
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.backtest_study import Asked, Side, Study
from pipeline.commands.report.charts import WIDTH, Plot, Row, Segment, bars, columns, heat
from pipeline.commands.report.page import page
from pipeline.domain.times import DAY, format_instant
from pipeline.process.comparison import Comparison
from pipeline.process.history import Came, Span
from tests.bench.backtest import history
from tests.commands.conftest import Call

NOON = 1_772_550_000_000
HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}\x1b[31m\u202e"
VOID = {"meta", "rect", "line"}


class Page(HTMLParser):
    """Elements, attributes and texts; fails where elements are not closed as they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID or tag == "rect":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def trigger(nth: int, journey: str, **more: Any) -> Came:
    record = {
        "id": f"{nth:032x}", "journey": journey, "version": 1, "step": 1, "channel": "voice",
        "to": "+12125550100", "firedAt": format_instant(NOON + nth * DAY), "reason": None,
    }  # fmt: skip
    return Came("trigger", record | more)


def studied(*by_side: Sequence[Came], label: str = "rules") -> Study:
    sides = [
        Side(label if n == 0 else f"{label} {n}", {"journeys": []} if n == 0 else None)
        for n, _ in enumerate(by_side)
    ]
    comparison = Comparison([side.names for side in sides])
    for number, came in enumerate(by_side):
        for each in came:
            sides[number].tally.take(each)
            comparison.take(number, each)
    span = Span(3, NOON, NOON + DAY)
    return Study(Asked(Path(label)), sides, comparison if len(sides) > 1 else None, span)


def hostile_study() -> Study:
    said = {"outcome": HOSTILE, "reason": HOSTILE}
    decision = Came("decision", trigger(2, HOSTILE).record | said)
    mine = [trigger(1, HOSTILE, channel=HOSTILE, variant=HOSTILE), trigger(2, HOSTILE)]
    made = studied(mine, [decision], label=HOSTILE + "\udcff")
    made.sides[0].counts[HOSTILE] = 3
    return made


def test_hostile_names_stay_text() -> None:
    text = page(hostile_study())
    found = Page(text)
    assert found.all("script") == found.all("img") == []
    assert "<script>alert(1)</script>" in "".join(found.texts)
    assert "{{7*7}}" in "".join(found.texts)
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode("utf-8")


def test_the_page_needs_nothing_from_outside() -> None:
    text = page(hostile_study())
    found = Page(text)
    assert {tag for tag, _ in found.elements}.isdisjoint({"link", "iframe", "object", "base", "a"})
    for _, attributes in found.elements:
        assert not attributes.keys() & {"src", "href", "xlink:href", "style", "onload"}
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    policies = [m["content"] for m in found.all("meta") if "http-equiv" in m]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_every_plot_has_a_title_a_description_and_a_table() -> None:
    found = Page(page(studied([trigger(n, "j") for n in range(5)], [trigger(3, "j")])))
    ids = {attributes.get("id") for _, attributes in found.elements}
    plots = found.all("svg")
    assert len(plots) >= 7
    for plot in plots:
        labels = (plot["aria-labelledby"] or "").split()
        assert plot["role"] == "img"
        assert len(labels) == 2
        assert ids >= set(labels)
    assert len([i for i in ids if i]) == len(plots) * 2
    assert len(found.all("table")) >= 6
    assert all("scope" in head for head in found.all("th"))


@pytest.mark.parametrize("scheme", ["prefers-color-scheme: dark", "@media print"])
def test_the_page_is_made_for_dark_rooms_and_paper(scheme: str) -> None:
    assert scheme in page(studied([]))


def test_the_template_comes_with_the_package() -> None:
    assert (files("pipeline.commands.report") / "backtest.html.jinja").is_file()


def test_nobody_is_named(call: Call, sample: Path, tmp_path: Path) -> None:
    private: set[str] = set()
    with (tmp_path / "h").open("wb") as file:
        for nth, record in enumerate(history(600)):
            event = orjson.loads(record.value or b"")
            event["userId"] = f"secret-user-{event['userId']}"
            for key in ("loanId", "applicationId", "requestId"):
                if key in event.get("properties", {}):
                    event["properties"][key] = f"secret-key-{nth}"
            if phone := event.get("traits", {}).get("phone"):
                private |= {phone, event["traits"]["email"], "Rebecca"}
            file.write(orjson.dumps({"timestamp": record.at, "value": event}) + b"\n")
    out = tmp_path / "r.html"
    told = call("backtest", sample, "--input", tmp_path / "h", "--html", out, "--json")
    assert told.status == 0, told.err
    text = out.read_text()
    assert "secret-" in told.out
    assert "loan-approved-not-signed" in text
    assert not [each for each in (*private, "secret-", "m-0000") if each in text]


def test_the_page_of_a_long_time_has_few_columns() -> None:
    far = [trigger(n, "j", firedAt=format_instant(n * 100 * 365 * DAY + 1)) for n in range(70)]
    found = Page(page(studied(far)))
    assert len(found.all("rect")) < 500


def inside(plot: Plot) -> bool:
    return all(
        mark.width >= 0
        and mark.height >= 0
        and -0.01 <= mark.x <= mark.x + mark.width <= WIDTH + 0.01
        and -0.01 <= mark.y <= mark.y + mark.height <= plot.height + 0.01
        for mark in plot.marks
    )


COUNTS = st.integers(0, 10**12)


@given(st.integers(0, 70), st.integers(1, 9), st.data())
def test_columns_stay_within_their_plot(groups: int, series: int, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.lists(COUNTS, min_size=groups, max_size=groups),
                                min_size=series, max_size=series))  # fmt: skip
    names = [str(n) for n in range(groups)]
    plot = columns(Plot("p", "", "", 0), names, names, counts)
    assert inside(plot)
    assert len(plot.marks) == groups * series


@given(st.lists(st.lists(COUNTS, min_size=24, max_size=24), min_size=7, max_size=7))
def test_cells_stay_within_their_plot_and_say_their_number(counts: list[list[int]]) -> None:
    plot = heat(Plot("p", "", "", 0), [f"d{n}" for n in range(7)], counts)
    assert inside(plot)
    said = [mark.text.rsplit(": ")[1] for mark in plot.marks]
    assert said == [f"{count:,}" for row in counts for count in row]


@given(st.lists(st.lists(COUNTS, max_size=6), max_size=12), st.booleans())
def test_bars_stay_within_their_plot(rows: list[list[int]], shares: bool) -> None:
    made = [Row("n" * 99, "A", [Segment(n, "c0", str(n)) for n in row]) for row in rows]
    plot = bars(Plot("p", "", "", 0), made, shares=shares)
    assert inside(plot)
    assert len(plot.marks) == sum(n > 0 for row in rows for n in row)
