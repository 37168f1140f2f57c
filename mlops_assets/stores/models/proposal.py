"""The challenger that a retraining proposes, and how far it has come: tried, waiting for a person, promoted, stopped.

One document per use case, replaced as a whole; the lake's history keeps those before. Which version serves is in
``champion.py``: a proposal moves no pointer.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from mlops_assets.contract.checks import CheckResult
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.write import Write
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.record import Document, read_document

Stage = Literal["to be tried", "in shadow", "as canary", "waits for approval", "promoted", "stopped"]
READS_BACK = "proposal_reads_back"


class Proposal(Document):
    """``version`` passed its gates against ``champion``, in a retraining that was due for ``reason``.

    It is at ``stage`` since ``at``, because of ``why``. A refit passed none: ``refit_of`` is the version that did, and
    that takes its place, ``refitted`` and done with it, where the shadow does not bear it out.
    """

    schema_version: Literal[1] = 1
    use_case: str
    version: str
    champion: str
    reason: str
    stage: Stage
    at: AwareDatetime
    why: str
    refit_of: str | None = None
    refitted: bool = False

    @property
    def is_tried(self) -> bool:
        """Whether it is on trial, or about to be."""
        return self.stage in ("to be tried", "in shadow", "as canary")

    @property
    def waits(self) -> bool:
        """Whether a person is to say that it may serve."""
        return self.stage == "waits for approval"

    def told(self) -> str:
        """Where it stands, as a sentence."""
        return f"{self.version} ({self.stage} since {self.at:%Y-%m-%d %H:%M}): {self.why}"


def proposal(snapshot: Snapshot, *, use_case: str) -> Proposal | None:
    """The last proposal, also one that is over; None before the first."""
    path = _path(use_case)
    return read_document(Proposal, snapshot.read(path), path=path) if snapshot.exists(path) else None


def keep_proposal(lake: Lake, proposed: Proposal, *, run_id: str = "") -> Proposal:
    """Publishes it, in the place of the one before."""
    path = _path(proposed.use_case)

    def audit(staged: Snapshot) -> list[CheckResult]:
        same = read_document(Proposal, staged.read(path), path=path) == proposed
        reasons = () if same else (f"'{path}' does not read back as it was written.",)
        return [CheckResult(name=READS_BACK, passed=same, reasons=reasons)]

    write = Write(
        use_case=proposed.use_case,
        asset="trial",
        run_id=run_id,
        git_commit=git_state().commit,
        message=f"{proposed.use_case}: {proposed.told()}",
    )
    lake.publish(write, files={path: proposed.to_json()}, audit=audit)
    return proposed


def _path(use_case: str) -> str:
    return f"{use_case}/proposal.json"
