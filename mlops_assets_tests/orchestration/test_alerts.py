"""What fails opens one alert for each cause, what passes later resolves it, and a tick that is repeated is no news."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.contract.alerts import Alert
from mlops_assets.contract.errors import PlatformError, SettingError
from mlops_assets.judge.absolute_bounds import CHAMPION_FAILS
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.orchestration.instance import open_instance
from mlops_assets.orchestration.resources import DataResource
from mlops_assets.stores.alerts.book import AlertBook, standing_alerts
from mlops_assets_tests.orchestration.deployment import Deployment, content
from mlops_assets_tests.orchestration.test_ingest import spoiled
from mlops_assets_tests.orchestration.toy import PARCELS, day_number

Tick = Callable[..., str]


@pytest.fixture
def kept(empty: Deployment) -> Iterator[Deployment]:
    """An empty deployment whose instance is on disk, as the daemon opens it."""
    with open_instance(empty.data) as instance:
        yield replace(empty, instance=instance)


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Tick:
    """One look of the sensor from a cursor; the cursor that it answers."""
    monkeypatch.delenv("MLOPS_ALERT_URLS", raising=False)

    def look(deployment: Deployment, cursor: str | None = None) -> str:
        sensor = build_definitions([PARCELS]).get_repository_def().get_sensor_def("parcels__alerts")
        resources = {"data": DataResource()}
        with dg.build_sensor_context(instance=deployment.instance, resources=resources, cursor=cursor) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return str(result.cursor)

    return look


def causes(alerts: Sequence[Alert]) -> dict[str, tuple[str, list[str]]]:
    """Urgency and places of each cause."""
    return {alert.finding.cause: (str(alert.finding.urgency), sorted(alert.places)) for alert in alerts}


def history(data: Path) -> dict[str, list[str]]:
    """The events of every alert there ever was."""
    with AlertBook(data) as book:
        alerts = [*book.standing(), *book.resolved()]
        return {alert.finding.cause: [str(event.kind) for event in book.events(alert)] for alert in alerts}


def test_a_refused_day_opens_one_alert_that_its_mended_file_resolves(kept: Deployment, tick: Tick) -> None:
    bad = [day_number(1), day_number(2)]
    kept.land(0, 3)
    for day in bad:
        kept.drop(spoiled(day, rows=7), source="parcels", batch=day)
    with suppress(PlatformError):
        kept.ingest()

    cursor = tick(kept)

    opened = standing_alerts(kept.data)
    assert causes(opened) == {"validated_parcels/quarantine_within_limit#weight": ("page", bad)}
    assert "7 of 60 rows break" in opened[0].finding.what
    tick(kept)  # the same records again, as after a cursor that was not stored
    assert history(kept.data) == {opened[0].finding.cause: ["opened"]}

    kept.drop(content("parcels", bad[0]), source="parcels", batch=bad[0])
    with suppress(PlatformError):
        kept.ingest()
    cursor = tick(kept, cursor)
    assert causes(standing_alerts(kept.data)) == {opened[0].finding.cause: ("page", bad[1:])}

    kept.drop(content("parcels", bad[1]), source="parcels", batch=bad[1])
    kept.ingest()
    tick(kept, cursor)
    assert history(kept.data) == {opened[0].finding.cause: ["opened", "resolved"]}


def test_a_run_that_fails_without_a_check_opens_an_alert_until_the_same_succeeds(empty: Deployment, tick: Tick) -> None:
    day = day_number(0)
    empty.execute("ingest", day)

    cursor = tick(empty)

    (alert,) = standing_alerts(empty.data)
    assert causes([alert]) == {"run/ingest": ("page", [day])}
    assert "parcels__raw_parcels failed: " in alert.finding.what

    empty.land(0)
    empty.execute("reference")
    empty.execute("ingest", day)
    tick(empty, cursor)
    assert history(empty.data) == {"run/ingest": ["opened", "resolved"]}


def test_what_warns_of_a_column_informs_about_it(empty: Deployment, tick: Tick) -> None:
    look = build_look("WARN", anomalies=[anomaly("weight", "WARN"), anomaly("weight", "WARN"), anomaly("road", "WARN")])
    empty.instance.report_runless_asset_event(look)

    tick(empty)

    found = causes(standing_alerts(empty.data))
    subject = "validated_parcels/distributions_are_usual"
    assert found == {f"{subject}#{column}": ("inform", [day_number(0)]) for column in ("weight", "road")}


def test_columns_that_rows_lack_together_are_one_alert_that_names_them(empty: Deployment, tick: Tick) -> None:
    lacking = [{**anomaly(column, "WARN"), "code": "missing_share_moved"} for column in ("weight", "road", "depot")]
    empty.instance.report_runless_asset_event(build_look("WARN", anomalies=lacking))

    tick(empty)

    (alert,) = standing_alerts(empty.data)
    assert alert.finding.cause == "validated_parcels/distributions_are_usual#missing_share_moved"
    assert alert.finding.what.endswith("Likewise road, depot.")


def test_a_bound_that_protects_nobody_is_told_though_its_challenger_is_promoted(empty: Deployment, tick: Tick) -> None:
    said = "roc_auc_score: 0.6, needs at least 0.65 The champion v1 breaks this bound on the same rows by 0.1."
    key = dg.AssetKey(["parcels", "evaluation"])
    empty.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key,
            check_name="roc_auc_score_within_bounds",
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=said,
            metadata={CHAMPION_FAILS: 0.1},
        )
    )

    tick(empty)

    (alert,) = standing_alerts(empty.data)
    assert causes([alert]) == {f"evaluation/roc_auc_score_within_bounds#{CHAMPION_FAILS}": ("inform", [""])}
    assert alert.finding.what == said
    assert "set the bound to what can be held" in alert.finding.to_do


def test_a_url_that_cannot_be_used_fails_the_tick(
    empty: Deployment, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ALERT_URLS", "nowhere://at-all")

    with pytest.raises(SettingError, match="URL 1 of MLOPS_ALERT_URLS cannot be used"):
        tick(empty)


def anomaly(column: str, severity: str) -> dict[str, str]:
    return {
        "code": "distribution_moved",
        "column": column,
        "severity": severity,
        "message": f"{column} moved.",
        "what_to_do": "Look.",
    }


def build_look(severity: str, *, anomalies: list[dict[str, str]]) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["parcels", "validated_parcels"]),
        check_name="distributions_are_usual",
        passed=False,
        severity=dg.AssetCheckSeverity(severity),
        metadata={"anomalies": dg.MetadataValue.json(anomalies)},
        partition=day_number(0),
    )
