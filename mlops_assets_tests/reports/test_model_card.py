"""The model card tells what is on record, in one file, and says on top when a version serves by override."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pyarrow as pa
import pytest

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.paths import evaluation_path
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import parquet_bytes
from mlops_assets.reports.model_card import card_file, card_page
from mlops_assets.stores.models.champion import champion, promote, rollback
from mlops_assets.stores.models.model_card import read_card
from mlops_assets.stores.models.registry import load_evaluation, load_record, version_files
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.lake.factories import make_write, passing
from mlops_assets_tests.orchestration.conftest import (
    _deployment,
    ingested_template,
    trained_template,
)
from mlops_assets_tests.orchestration.deployment import Deployment, copy_deployment
from mlops_assets_tests.orchestration.toy import PARCELS
from mlops_assets_tests.stores.conftest import embedded_lake, lake_data
from mlops_assets_tests.stores.models.factories import (
    TINY,
    make_record,
    publish_evaluation,
    publish_version,
    tiny_model,
)

__all__ = ["embedded_lake", "ingested_template", "lake_data", "trained_template"]

THEN = datetime(2024, 3, 1, 12, tzinfo=UTC)
PREDICTIONS = parquet_bytes(pa.table({"id": ["a", "b"], "label": [0, 1], "score": [0.2, 0.9]}))


@pytest.fixture(scope="module")
def evaluated(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A champion that passed its gates; nothing here changes it."""
    with pytest.MonkeyPatch.context() as patch:
        copied = copy_deployment(trained_template, to=tmp_path_factory.mktemp("card") / "data")
        yield from _deployment(copied, patch)


def page_of(deployment: Deployment) -> str:
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    return card_page(read_card(deployment.lake, use_case=PARCELS, version=serving.version))


def test_the_page_is_one_file_that_asks_for_nothing_else(evaluated: Deployment) -> None:
    page = page_of(evaluated)

    assert not re.search(r"https?:|@import|<link|<img|<iframe| src=|url\((?!#)|href=\"(?!#)", page)
    assert page.count("<svg") == page.count("</svg>") >= 4
    assert len(page) < 1_500_000


def test_the_page_tells_the_figures_the_gates_and_the_ids_on_record(evaluated: Deployment) -> None:
    head = evaluated.lake.at()
    serving = champion(head, use_case="parcels")
    assert serving is not None
    record = load_record(head, use_case="parcels", version=serving.version)
    evaluation = load_evaluation(head, use_case="parcels", version=serving.version)
    assert evaluation is not None
    page = unescape(page_of(evaluated))

    for each in evaluation.report.overall.metrics.values():
        assert each.value is not None
        assert f"{each.value:.4f}" in page
        assert each.lower is None or f"{each.lower:.4f}\xa0–\xa0{each.upper:.4f}" in page
    for verdict in evaluation.record.decision.verdicts:
        assert f">{verdict.figures['needs']}</td>" in page
    for part in record.split.values():
        assert f">{part.rows:,}<" in page
    assert page.count("✓ holds") == len(evaluation.record.decision.verdicts)
    for told in (record.git_commit, record.data_commit, record.code_version, *record.files.values()):
        assert f'<code>{told}</code><button type="button">copy</button>' in page
    assert f"<code>mlops reproduce {record.version}</code>" in page
    assert all(f"<b>{feature.name}</b>" in page for feature in PARCELS.features)
    assert page.count("<figure>") == len(PARCELS.features)


def test_a_figure_that_is_right_in_the_middle_says_where(evaluated: Deployment) -> None:
    page = page_of(evaluated)
    assert "calibration slope → 1</td>" in page
    assert "calibration in the large → 0</td>" in page


def test_a_first_version_speaks_of_no_gains_over_a_champion(evaluated: Deployment) -> None:
    assert "Gains are of a paired test" not in page_of(evaluated)


def test_a_slice_by_quantiles_tells_its_edges(evaluated: Deployment) -> None:
    serving = champion(evaluated.lake.at(), use_case="parcels")
    assert serving is not None
    card = read_card(evaluated.lake, use_case=PARCELS, version=serving.version)
    assert card.evaluation is not None
    first, *others = card.evaluation.report.segments
    named = replace(first, segment="weight 1 of 4", limits="up to 2.5")
    told = replace(card.evaluation, report=replace(card.evaluation.report, segments=(named, *others)))

    assert "weight 1 of 4 (up to 2.5)" in card_page(replace(card, evaluation=told))


def test_training_leaves_the_page_where_the_ui_links_to_it(evaluated: Deployment) -> None:
    serving = champion(evaluated.lake.at(), use_case="parcels")
    assert serving is not None

    page = evaluated.data / "reports" / "parcels" / card_file(serving.version)

    assert 'class="status champion"' in page.read_text(encoding="utf-8")


def test_an_override_is_told_on_top_for_as_long_as_the_version_serves(embedded_lake: Lake) -> None:
    lake = embedded_lake
    for version in ("v1", "v2", "v3"):
        publish_version(lake, version)
    publish_evaluation(lake, "v1", predictions=PREDICTIONS)
    move(lake, "v1")
    publish_evaluation(lake, "v2", champion="v1", passed=False, predictions=PREDICTIONS)
    move(lake, "v2", override=True, why="<b>the</b> storm is over")
    publish_evaluation(lake, "v3", champion="v2", predictions=PREDICTIONS)

    overridden = page_at(lake, "v2")
    assert "This version serves by override" in overridden
    assert "ada promoted it on 2024-03-01 at 12:00 UTC although something spoke against it" in overridden
    assert "Reason given: <b>&lt;b&gt;the&lt;/b&gt; storm is over</b>" in overridden
    assert "<li>roc_auc_score is too low</li>" in overridden
    assert "by override</h2>" not in page_at(lake, "v1")

    move(lake, "v3")
    assert "by override</h2>" not in page_at(lake, "v2")
    assert "v2 promoted by override" in page_at(lake, "v2")

    rollback(lake, use_case=TINY, by="bob", why="v3 is slow", at=THEN)
    assert "ada promoted it" in page_at(lake, "v2")


def test_a_version_without_evaluation_has_a_card_that_says_so(embedded_lake: Lake) -> None:
    publish_version(embedded_lake, "v1")

    page = page_at(embedded_lake, "v1")

    assert "Not evaluated." in page
    assert 'class="status unevaluated"' in page
    assert "<code>mlops reproduce v1</code>" in page
    assert "Calibration and ranking" not in page


def test_a_version_whose_evaluation_is_damaged_has_a_card_that_says_so(embedded_lake: Lake) -> None:
    publish_version(embedded_lake, "v1")
    publish_evaluation(embedded_lake, "v1", predictions=PREDICTIONS)
    path = evaluation_path("flights", version="v1", name="report.json")
    embedded_lake.publish(make_write(asset="evaluation"), files={path: b"{}"}, audit=passing)

    assert "v1/report.json&#x27; is damaged" in page_at(embedded_lake, "v1")


def test_a_version_whose_rows_are_gone_keeps_its_figures(embedded_lake: Lake) -> None:
    publish_version(embedded_lake, "v1")
    publish_evaluation(embedded_lake, "v1", predictions=PREDICTIONS)

    page = page_at(embedded_lake, "v1")

    assert "The rows it was judged on cannot be read any more." in page
    assert "How good it is" in page


def test_a_version_whose_data_commit_is_gone_keeps_its_figures(embedded_lake: Lake) -> None:
    record = make_record("v1", data_commit="f" * 64)
    files = version_files(record, files={"model.ubj": tiny_model(), "vocabulary.json": b"{}"})
    embedded_lake.publish(make_write(asset="model"), files=files, audit=passing)
    publish_evaluation(embedded_lake, "v1", predictions=PREDICTIONS)

    page = page_at(embedded_lake, "v1")

    assert "The rows it was judged on cannot be read any more." in page
    assert f"<code>{'f' * 64}</code>" in page


def test_an_unknown_version_is_refused_with_the_known_ones(embedded_lake: Lake) -> None:
    publish_version(embedded_lake, "v1")

    with pytest.raises(RegistryError, match="Versions: v1"):
        page_at(embedded_lake, "v9")


def move(lake: Lake, version: str, *, override: bool = False, why: str = "it is good") -> None:
    promote(lake, use_case=TINY, version=version, by="ada", why=why, at=THEN, override=override)


def page_at(lake: Lake, version: str) -> str:
    return card_page(read_card(lake, use_case=USE_CASE, version=version))
