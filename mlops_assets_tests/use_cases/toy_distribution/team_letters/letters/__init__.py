"""Will this letter be returned? Lands in drops, each letter with its outcome."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, computed_field

from mlops_assets import (
    Cadence,
    Feature,
    HashSplit,
    LandedSeed,
    LandingZone,
    MetricBound,
    MonitoringPlan,
    NamedBatches,
    NotWorseThanChampion,
    PositiveShare,
    Recipe,
    SeedData,
    Slice,
    SliceBound,
    Source,
    UseCase,
)

SQL = Path(__file__).parent / "sql"


class LetterRequest(BaseModel):
    """One letter, before it is sent."""

    number: int
    grams: float
    abroad: bool

    @computed_field
    def id(self) -> str:
        """The letter's own name."""
        return f"letter-{self.number}"


LETTERS = Source(
    name="letters",
    description="Letters and what became of them.",
    owner="post@example.org",
    cadence=Cadence.NAMED,
    schema="team_letters.letters.schemas:LetterRows",
)


def _land(zone: Path, *, first: str, last: str, sources: Sequence[str] | None = None) -> LandedSeed:
    rows = [
        f"{number},{number % 50}.5,{number % 2},{int((number % 50 > 25) != (number % 7 == 0))}"
        for number in range(1200)
    ]
    content = "\n".join(["number,grams,abroad,returned", *rows, ""]).encode()
    written = LandingZone(zone).land(content, use_case="letters", source=LETTERS, batch=first)
    return LandedSeed(written=int(written), unchanged=int(not written))


def _requests(batch: str) -> list[Mapping[str, Any]]:
    return [{"number": 1, "grams": 20, "abroad": False}]


def _feature(name: str, description: str) -> Feature:
    return Feature(name=name, kind="numeric", description=description, owner="post")


USE_CASE = UseCase(
    name="letters",
    title="Will this letter be returned?",
    description="Letters, scored before they are sent.",
    owner="team:post",
    batches=NamedBatches(),
    sources=(LETTERS,),
    examples_sql=SQL / "examples.sql",
    features_sql=SQL / "features.sql",
    features=(_feature("grams", "Weight."), _feature("heavy_abroad", "Heavy and to another country.")),
    request=LetterRequest,
    split=HashSplit(key="id", test_share=0.3, validation_share=0.2),
    recipe=Recipe(hyperparameters={"max_depth": 2}, rounds=10, early_stopping_rounds=3, threads=1),
    slices=(Slice(name="abroad", columns=("abroad",)),),
    gates=(
        MetricBound(metric="roc_auc_score", at_least=0.6, judge="point"),
        SliceBound(slice="abroad", metric="log_loss", min_rows=10, at_most=0.6, judge="point"),
        NotWorseThanChampion(metric="log_loss", margin=0.2),
    ),
    monitoring=MonitoringPlan(slices=("abroad",)),
    threshold=PositiveShare(),
    seed=SeedData(land=_land, requests=_requests, first="drop-1", last="drop-1", served="drop-1"),
    positive_word="returned",
)
