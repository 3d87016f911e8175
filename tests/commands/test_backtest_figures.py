"""The figures of a backtest add up to the records it printed."""

from collections import Counter
from pathlib import Path

import orjson

from tests.bench.backtest import history
from tests.commands.conftest import Call
from tests.commands.test_backtest import write


def test_records_come_before_the_figures_that_sum_them_up(
    call: Call, sample: Path, tmp_path: Path
) -> None:
    records = [{"timestamp": h.at, "value": orjson.loads(h.value or b"")} for h in history(500)]
    told = call("backtest", sample, "--input", write(tmp_path / "h", *records), "--json")
    *came, summary = told.lines
    assert summary["type"] == "summary"
    fired = Counter(line["firedAt"][:13] for line in came if line["type"] == "trigger")
    by_hour: Counter[str] = Counter()
    for hour in summary["hours"]:
        by_hour[hour["hour"][:13]] += hour["count"]
    assert by_hour == fired
    local = sum(hour["count"] for hour in summary["localHours"])
    assert local + summary["localHourUnknown"] == fired.total()
    outcomes = Counter({x["outcome"]: 0 for x in summary["outcomes"]})
    for outcome in summary["outcomes"]:
        outcomes[outcome["outcome"]] += outcome["count"]
    told_of = Counter(
        {"trigger": "fired", "retraction": "retracted"}.get(x["type"], x.get("outcome"))
        for x in came
    )
    assert outcomes == told_of
    times = [x.get("firedAt") or x.get("at") or x["decidedAt"] for x in came]
    assert times == sorted(times)


def test_variants_of_an_experiment_are_counted_apart(call: Call, tmp_path: Path) -> None:
    journey = """
        journey: loan
        version: 1
        key: properties.loanId
        start: {event: Loan Application Approved}
        experiment: {salt: s, variants: {short: 50, long: 50}}
        steps:
          - {after: 1h, channel: voice, variant: short}
          - {after: 24h, channel: voice, variant: long}
    """
    (tmp_path / "rules" / "journeys").mkdir(parents=True)
    (tmp_path / "rules" / "journeys" / "loan.yaml").write_text(journey)
    records = [{"timestamp": h.at, "value": orjson.loads(h.value or b"")} for h in history(1_500)]
    path, out = write(tmp_path / "h", *records), tmp_path / "r.html"
    told = call("backtest", tmp_path / "rules", "--input", path, "--html", out, "--json")
    assert told.status == 0, told.err
    *came, summary = told.lines
    fired = Counter(line["variant"] for line in came if line["type"] == "trigger")
    ended = [line for line in summary["outcomes"] if line["outcome"] == "fired"]
    assert {line["variant"]: line["count"] for line in ended} == fired
    assert set(fired) == {"short", "long"}
    assert "Outcomes by variant" in out.read_text()
