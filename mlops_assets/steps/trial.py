"""Trial: the challenger of a retraining beside the champion in the running service, until it serves or is stopped.

One call takes it one step further and says where it stands. A shadow is over when the outcomes of as many served days
are known as were asked for; a canary when the service has let it answer every step. Where no service runs it waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_assets.contract.errors import RegistryError, ServingError
from mlops_assets.contract.retraining import Retrain, Shadow
from mlops_assets.judge.canary import Guards
from mlops_assets.judge.live import LiveVerdict, live_verdicts
from mlops_assets.steps.move_champion import BY_ITSELF, Moves
from mlops_assets.steps.refit import judge_by_shadow, refit
from mlops_assets.steps.shadow_report import ShadowReport, shadow_report
from mlops_assets.steps.tell_service import start_canary, start_shadow, stop_canary
from mlops_assets.steps.train import Provenance
from mlops_assets.stores.code import git_state
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.proposal import Proposal, Stage, keep_proposal, proposal
from mlops_assets.stores.serving_orders import CanaryOrder, ServingOrders

LEVEL = 0.025
"""Of the one look at the end of a shadow."""
PATIENCE = 4
"""How many times its days a shadow may last until it can be judged."""


def try_challenger(moves: Moves) -> str:
    """Takes the trial one step further; a sentence that says where it stands."""
    proposed = proposal(moves.lake.at(), use_case=moves.use_case.name)
    if proposed is None or not proposed.is_tried:
        return f"No challenger is tried. The last one: {proposed.told()}" if proposed else "No challenger is tried."
    trial = _Trial(moves=moves, proposed=proposed, plan=moves.use_case.retrain)
    try:
        return trial.step()
    except (RegistryError, ServingError) as error:
        return trial.becomes("stopped", str(error))


@dataclass(frozen=True, kw_only=True)
class _Trial:
    moves: Moves
    proposed: Proposal
    plan: Retrain | None

    @property
    def orders(self) -> ServingOrders:
        return ServingOrders(self.moves.folder, use_case=self.moves.use_case.name)

    def step(self) -> str:
        """From the stage that it is at."""
        version = self.proposed.version
        serving = champion(self.moves.lake.at(), use_case=self.moves.use_case.name)
        if serving and serving.version == version:
            return self.becomes("promoted", f"by {serving.by}: {serving.why}")
        if serving is None or serving.version != self.proposed.champion:
            now = serving.version if serving else "nothing"
            return self.becomes("stopped", f"it was judged against {self.proposed.champion}, and {now} serves now")
        if self.proposed.stage == "in shadow":
            return self._in_shadow()
        return self._as_canary() if self.proposed.stage == "as canary" else self._begin()

    def becomes(self, stage: Stage, why: str) -> str:
        """Keeps the stage, and ends in the service what is tried no more."""
        after = self.proposed.model_copy(update={"stage": stage, "why": why, "at": self.moves.now})
        if not after.is_tried:
            self._end(promoted=stage == "promoted")
        return keep_proposal(self.moves.lake, after, run_id=self.moves.run_id).told()

    def _begin(self) -> str:
        moves, version, trial = self.moves, self.proposed.version, self.plan.trial if self.plan else None
        if trial is None:
            return self._passes("no trial is declared any more")
        if not self.orders.workers(now=moves.now):
            return f"{version} waits to be tried: no service of {moves.use_case.name} runs. `mlops serve` starts one."
        if beside := self._beside():
            return f"{version} waits to be tried: {beside}."
        if self.plan and self.plan.refit and not (self.proposed.refit_of or self.proposed.refitted):
            return replace(self, proposed=self._refit())._begin()
        told: Any = {"use_case": moves.use_case, "version": version, "folder": moves.folder, "at": moves.now}
        moves.make_ready(version)
        if isinstance(trial, Shadow):
            start_shadow(moves.lake, **told, by=BY_ITSELF)
            return self.becomes("in shadow", f"until the outcomes of {trial.days} served days are known")
        running, seconds = self.orders.canary(), trial.every.total_seconds()
        if running is None or running.version != version or not running.share:
            start_canary(moves.lake, **told, by=BY_ITSELF, steps=trial.steps, every=seconds, guards=Guards())
        return self.becomes("as canary", f"it answers {trial.steps[0]:.0%} of the rows first")

    def _beside(self) -> str:
        """Who else is tried now, by hand; empty if nobody is."""
        orders, version = (self.orders.shadow(), self.orders.canary()), self.proposed.version
        others = [each for each in orders if each and each.version != version]
        tried = [each for each in others if not isinstance(each, CanaryOrder) or each.share]
        return "; ".join(f"{each.version} is tried since {each.at:%Y-%m-%d %H:%M} by {each.by}" for each in tried)

    def _as_canary(self) -> str:
        order, version = self.orders.canary(), self.proposed.version
        if order is None or order.version != version:
            return self.becomes("stopped", f"{order.version if order else 'nothing'} is the canary now")
        if order.state == "ready":
            return self._passes(f"as a canary every guard held: {order.reason}")
        if order.share:
            waits = "" if self.orders.workers(now=self.moves.now) else ", and no service runs"
            return f"{version} answers {order.share:.0%} of the rows since {order.since:%Y-%m-%d %H:%M}{waits}."
        return self.becomes("stopped", f"its canary is {order.state}: {order.reason}")

    def _in_shadow(self) -> str:
        moves, version, order = self.moves, self.proposed.version, self.orders.shadow()
        if order is None or order.version != version:
            return self.becomes("stopped", f"{order.version if order else 'nobody'} is the shadow now")
        days = self.plan.trial.days if self.plan and isinstance(self.plan.trial, Shadow) else Shadow().days
        report = shadow_report(
            moves.lake.at(), use_case=moves.use_case, version=version, folder=moves.folder, connect=moves.connect
        )
        if report is None or report.days < days:
            known = f"the outcomes of {report.days if report else 0} of {days} served days are known"
            waits = "" if self.orders.workers(now=moves.now) else "; no service runs, so it scores nothing now"
            return f"{version} is in shadow since {self.proposed.at:%Y-%m-%d %H:%M}: {known}{waits}."
        return self._judged(report)

    def _judged(self, report: ShadowReport) -> str:
        """At its end: what its gates compare, on what was served."""
        use_case = self.moves.use_case
        if report.overall is None:
            return self.becomes("stopped", f"its shadow cannot be judged: {report.lacking}")
        verdicts = live_verdicts(report.overall, gates=use_case.gates, task=use_case.task, level=LEVEL)
        if self.proposed.refit_of:
            return self._refit_judged(report, verdicts)
        told = f"on {report.days} served days " + "; ".join(verdict.told for verdict in verdicts)
        if any(verdict.worse for verdict in verdicts):
            return self.becomes("stopped", f"in shadow it was worse: {told}")
        if not any(verdict.judged for verdict in verdicts):
            if report.days < self._patience:
                return f"{self.proposed.version} stays in shadow, since nothing can be judged yet: {told}."
            return self.becomes("stopped", f"its shadow cannot be judged: {told}")
        return self._passes(f"in shadow it was not shown to be worse: {told}")

    @property
    def _patience(self) -> int:
        """The served days after which a shadow that cannot be judged is given up."""
        trial = self.plan.trial if self.plan else None
        return PATIENCE * (trial.days if isinstance(trial, Shadow) else 0)

    def _refit(self) -> Proposal:
        """The proposal of a refit of the version, in its place."""
        moves, judged = self.moves, self.proposed.version
        provenance = Provenance(git=git_state(), started_by=BY_ITSELF, clock=lambda: moves.now)
        step = refit(moves.lake, use_case=moves.use_case, version=judged, provenance=provenance)
        moves.publish("model", step)
        return self.proposed.model_copy(update={"version": step.outcome, "refit_of": judged})

    def _refit_judged(self, report: ShadowReport, verdicts: Sequence[LiveVerdict]) -> str:
        """No row but those of the shadow judges it, so a loss has to be ruled out; or else it gives way."""
        moves, version = self.moves, self.proposed.version
        told = f"on {report.days} served days " + "; ".join(verdict.told for verdict in verdicts)
        step = judge_by_shadow(moves.lake.at(), report, use_case=moves.use_case, now=moves.now)
        if not step.outcome and report.days < self._patience and not any(verdict.worse for verdict in verdicts):
            return f"{version} stays in shadow, since a loss is not ruled out: {told}."
        moves.publish("evaluation", step)
        if step.outcome:
            return self._passes(f"a refit of {self.proposed.refit_of} that was not worse: {told}")
        self._end(promoted=False)
        why = f"its refit {version} was not shown to be as good: {told}"
        back = {"version": self.proposed.refit_of, "refit_of": None, "refitted": True}
        after = self.proposed.model_copy(update={**back, "stage": "to be tried", "why": why, "at": moves.now})
        return keep_proposal(moves.lake, after, run_id=moves.run_id).told()

    def _passes(self, why: str) -> str:
        if self.plan and self.plan.promotion == "approval":
            return self.becomes("waits for approval", why)
        self.moves.promote(self.proposed.version, why=f"passed every gate; {why}", retraining=self.proposed.reason)
        return self.becomes("promoted", why)

    def _end(self, *, promoted: bool) -> None:
        """A canary that was promoted is ended by the service itself, once it follows the pointer."""
        shadow, canary, version = self.orders.shadow(), self.orders.canary(), self.proposed.version
        if shadow is not None and shadow.version == version:
            with self.orders.changing():
                self.orders.end_shadow()
        if canary is not None and canary.version == version and canary.share and not promoted:
            stop_canary(use_case=self.moves.use_case, folder=self.moves.folder, by=BY_ITSELF, at=self.moves.now)
