"""A policy as a notebook shows it: what the ledger says, what changed, how sure that is, and where next, as results.

`assess` takes the institute's panel with a policy of the ledger, or a panel of one's own with its columns named. A
panel of persons' shares is rounded first, as `rounded` says, so that every figure and every chart follows from rounded
counts; a difference of a share is in percentage points.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.policy.cross_check import CrossCheck, cross_check
from institute_lib.policy.evaluation import Evaluation, evaluate, robustness
from institute_lib.policy.honest import sensitivity
from institute_lib.policy.ledger import SIZE, Comparison, Specification, compare, has_begun, specify, trends
from institute_lib.policy.next_pilot import where_next
from institute_lib.policy.panel import as_written, numbers_of
from institute_lib.policy.results import LEVEL, Verdict, judged, outcome_name
from institute_lib.result import Measure, Provenance, Result, provenance_of

OF_PERSONS = ("certified_share", "stay_rate")  # shares of the panel whose numerators are persons
FEWEST, BASE = 10, 5
TOTAL = "total"
SEVERAL = re.compile(r"\s*[;；、]\s*")
MAGNITUDES, SLOPES = (0.5, 1.0, 1.5, 2.0), (0.0, 0.1, 0.2, 0.5)  # bounds; slopes in standard errors of the effect
QUARTERS, STEPS = 8, 5  # most periods of a pilot, and of a programme, that are named in a sentence
RELEVANT = 0.01  # of a share: a change of less than a point would change no decision


def where(needed: str) -> Callable:
    """A cached property that is None where the attribute `needed` holds nothing."""

    def read(function: Callable) -> cached_property:
        found = cached_property(lambda self: function(self) if getattr(self, needed) else None)
        found.__doc__ = function.__doc__
        return found

    return read


def rounded(panel: pd.DataFrame) -> pd.DataFrame:
    """A panel of districts with headcounts to the nearest five, and shares of persons computed from rounded counts.

    Districts that ever have fewer than ten workers are left out. A share's own denominator is not in the panel: its
    numerator is counted among the headcount.
    """
    small = panel.groupby("district")[SIZE].min() < FEWEST
    found = panel[~panel["district"].isin(small.index[small])].copy()
    whole = np.floor(found[SIZE] / BASE + 0.5) * BASE
    for name in OF_PERSONS:
        found[name] = (np.floor(found[name] * found[SIZE] / BASE + 0.5) * BASE / whole).clip(upper=1)
    found[SIZE] = whole
    found.attrs = panel.attrs
    return found


def assess(
    panel: pd.DataFrame,
    ledger: pd.DataFrame,
    *,
    policy_id: str = "",
    outcome: str = "",
    treated_unit: str = "",
    start: str = "",
    treated_from: str = "",
    unit: str = "district",
    period: str = "quarter",
    late: Sequence[str] = (),
    relevant: float | None = None,
    language: str = "zh",
) -> "Assessment":
    """What a policy did, by the design that its panel carries.

    Args:
        panel: one row a unit and period. ledger: the `policies` table.
        policy_id: the ledger's code; its one unit is judged by placebos, and the staggered programme of the panel's
            column treated_from beside it. Empty for a panel of one's own, which names its columns and either
            `treated_unit` with `start`, or `treated_from`, each unit's first treated period (missing if never).
        outcome, treated_unit, start: choices against the ledger are marked as exploratory. Several treated units are
            parted by ";".
        late: districts that have not reported, and so are no candidates for a next pilot.
        relevant: the smallest effect that would matter, in units of the outcome; where the whole interval lies within
            it, the verdict is that there was none. None: one point of the institute's shares, of others any.

    Raises:
        ParameterError: no such policy; a panel of one's own that does not say who is treated, and from when.
        DataError, EstimationError: as the estimators.
    """
    shared = {"provenance": provenance_of(panel), "language": language, "relevant": relevant}
    columns = {"outcome": outcome, "unit": unit, "period": period}
    if policy_id:
        shared |= {"late": tuple(late), "own": False, "relevant": RELEVANT if relevant is None else relevant}
        rows, several = rounded(panel), ledger["policy_id"].eq(policy_id) & ledger["area"].str.contains(";", na=False)
        if several.any():  # who adopts, and when, stands in the panel
            first = outcome or ledger.loc[several, "outcome"].iloc[0]
            adopting = columns | {"outcome": first, "treated_from": "treated_from"}
            return Assessment(_outside(rows, ledger), ledger, None, adopting, **shared)
        chosen = columns | {"treated_unit": treated_unit, "start": start}
        return Assessment(rows, ledger, specify(ledger, policy_id=policy_id, **chosen), None, **shared)
    if not outcome or not (treated_from or (treated_unit and start)):
        raise terms.error(ParameterError, "policy.error_own_panel")
    for name in (outcome, unit, period, *([treated_from] if treated_from else [])):
        _refuse_unknown("policy.error_no_column", name, panel.columns)
    numbers_of(panel[outcome], outcome)
    if not treated_from:
        units = panel[unit].unique()
        named = [treated_unit] if as_written(treated_unit, units) in set(units) else SEVERAL.split(treated_unit)
        found = [as_written(one, units) for one in named]
        for one in found:
            _refuse_unknown("policy.error_no_unit", one, units)
        if len(found) == 1:
            own = specify(ledger, policy_id="", treated_unit=named[0], start=start, **columns)
            return Assessment(panel, ledger, own, None, **shared)
        first = pd.Series([start] * len(panel), index=panel.index).where(panel[unit].isin(found))
        panel, treated_from = panel.assign(treated_from=first), "treated_from"
    return Assessment(panel, ledger, None, columns | {"treated_from": treated_from}, **shared)


def _outside(panel: pd.DataFrame, ledger: pd.DataFrame) -> pd.DataFrame:
    """The districts of cities in which no single unit has a policy of its own."""
    touched = {areas.city_of(code) for code in ledger["area"].dropna() if ";" not in code}
    return panel[~panel["district"].map(areas.city_of).isin(touched)]


def _refuse_unknown(key: str, name: Any, known: Sequence[Any]) -> None:
    if name not in set(known):
        names = [str(one) for one in known]
        raise terms.error(
            ParameterError, key, name=str(name), nearest=lambda language: terms.nearest_in(language, str(name), names)
        )


@dataclass(frozen=True)
class Assessment:
    """A policy and everything that a notebook shows of it; what its data do not carry is None.

    Attributes:
        panel: as it is estimated on. ledger: the policies.
        specification: of a policy of one unit; None where only a staggered programme is asked about.
        adopting: the columns of a staggered programme, where it alone is asked about.
        relevant: the smallest effect that would matter. own: whether the panel is the reader's own; the institute's
            holds shares.
    """

    panel: pd.DataFrame
    policies: pd.DataFrame
    specification: Specification | None
    adopting: dict[str, str] | None
    provenance: Provenance
    language: str
    relevant: float | None = None
    late: tuple[str, ...] = ()
    own: bool = True

    # what is estimated

    @cached_property
    def _judged(self) -> tuple[Comparison, Evaluation] | str:
        """With whom the unit is compared and what came out, or which sentence says why nothing is estimated."""
        given = self.specification
        if given.policy_id and not has_begun(self.panel, given):
            return "policy.not_begun"
        try:
            comparison = compare(self.panel, self.policies, given)
            return comparison, evaluate(comparison.panel, given, donors=comparison.donors)
        except EstimationError:  # own registers may be too young, or too few; a choice of one's own is told why
            if given.exploratory:
                raise
            return "policy.too_short"

    @property
    def comparison(self) -> Comparison | None:
        return None if self.specification is None or isinstance(self._judged, str) else self._judged[0]

    @property
    def evaluation(self) -> Evaluation | None:
        return None if self.specification is None or isinstance(self._judged, str) else self._judged[1]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that were estimated, in the ledger's order."""
        return tuple(self.evaluation.effects) if self.evaluation else ()

    @cached_property
    def _programme(self) -> pd.DataFrame | None:
        """The rows of the staggered programme: of the ledger's panel, outside cities with a policy of their own."""
        if self.adopting:
            return self.panel
        return None if self.own else _outside(self.panel, self.policies)

    @cached_property
    def _columns(self) -> dict[str, str]:
        own = {"unit": "district", "period": "quarter", "treated_from": "treated_from"}
        return self.adopting or {"outcome": self.specification.outcomes[0], **own}

    @cached_property
    def staggered(self) -> CrossCheck | None:
        """The programme by three estimators."""
        rows = self._programme
        if rows is None or (not self.adopting and not rows["treated_from"].notna().any()):
            return None
        return cross_check(rows, **self._columns)

    # how it is shown

    @property
    def _share(self) -> bool:
        return not self.own

    def _size(self, name: str, values: Any, **more: Any) -> Measure:
        """An estimate in the unit of the outcome: points of a share, else as many decimals as its size needs."""
        digits = None if self._share else terms.decimals(*values)
        return Measure(name, "points" if self._share else "number", digits, statistic="estimate", **more)

    def _level(self, name: str, values: Any, **more: Any) -> Measure:
        return replace(self._size(name, values, **more), unit="share" if self._share else "number")

    def _p(self, *names: str) -> list[Measure]:
        return [Measure(name, "number", 3, statistic="estimate") for name in names]

    def _result(self, frame: pd.DataFrame, keys: Sequence[str], measures: Sequence[Measure], title: str, **more: Any):
        """A result of this panel; behind each figure stand at least as many as in its smallest district."""
        persons = int(self.panel[SIZE].min()) if SIZE in self.panel and self.provenance.personal else None
        frame = frame if persons is None else frame.assign(persons=persons)
        counted = None if persons is None else "persons"
        return Result(frame, tuple(keys), tuple(measures), counted, self.provenance, title=title, **more)

    def _title(self, key: str, outcome: str) -> str:
        return terms.text(f"policy.{key}", self.language, outcome=outcome_name(outcome, self.language))

    def _interval(self, frame: pd.DataFrame, name: str, estimate: str) -> pd.DataFrame:
        """Columns estimate, ci_low and ci_high under the names of a measure with its interval."""
        return frame.rename(columns={estimate: name, "ci_low": f"{name}_low", "ci_high": f"{name}_high"})

    @cached_property
    def ledger(self) -> Result | None:
        """The policy's rows in the ledger, with the treated days of a quarter that is left out as partly treated."""
        given = self.specification
        if given is None or not given.policy_id:
            return None
        rows = self.policies[self.policies["policy_id"] == given.policy_id]
        if rows.empty:
            return None
        frame = rows.rename(columns={f"name_{self.language}": "name"})
        ends = pd.PeriodIndex(frame["partial_quarter"], freq="Q").end_time.normalize()
        frame = frame.assign(partial_days=(ends - pd.to_datetime(frame["start"])).dt.days.to_numpy() + 1.0)
        keys = ("name", "start", "treated_from", "partial_quarter", "outcome", "recorded")
        notes = [given.provenance(self.language)]
        if given.partial and frame["partial_days"].notna().any():
            days = terms.number(frame["partial_days"].iloc[0], self.language)
            quarter = terms.quarter(given.partial, self.language)
            notes.append(terms.text("policy.partly_treated", self.language, quarter=quarter, days=days))
        frame = frame[[*keys, "partial_days"]].astype(dict.fromkeys(keys, object))
        frame[list(keys)] = frame[list(keys)].where(frame[list(keys)].notna(), terms.MISSING[self.language])
        days = Measure("partial_days", "count", counts="days")
        return Result(frame, keys, (days,), None, provenance_of(self.policies), "policy.ledger_table", notes=notes)

    @where("evaluation")
    def trends(self) -> Result | None:
        """The treated unit and the plain mean of those it is compared with, before any weighting."""
        first, rows = self.outcomes[0], self.comparison.panel
        frame = trends(rows, self.specification, outcome=first, donors=self.comparison.donors)
        frame = frame.rename(columns={first: "mean"})
        label = " / ".join(outcome_name(first, language) for language in terms.LANGUAGES)
        measure = self._level("mean", frame["mean"], label=label)
        return self._result(frame, ("period", "group"), [measure], self._title("trends", first), chart="trend")

    @where("evaluation")
    def effects(self) -> Result | None:
        """Each outcome's effect, its interval, the p of its placebos, raw and corrected, and what could be found."""
        given, table = self.specification, self._interval(self.evaluation.to_frame(), "effect", "att")
        frame = table.assign(unit=given.treated_unit, start=given.start)
        measures = [
            self._size("effect", table["effect"], interval="given"),
            *self._p("p_value", "p_adjusted"),
            self._size("detectable", table["effect"]),
            Measure("n_donors", "count", counts="units"),
        ]
        notes = (*self.evaluation.cautions(self.language), "policy.from_rounded") if self._share else ()
        keys = ("unit", "start", "outcome")
        return self._result(frame, keys, measures, "policy.effects_table", notes=notes)

    def path(self, outcome: str) -> Result:
        """The unit's outcome by period, and what it would have been without the policy."""
        frame = self.evaluation.effects[outcome].path
        measures = [self._level(name, frame["observed"]) for name in ("observed", "counterfactual")]
        look = {"start": self.specification.start, "outcome": outcome_name(outcome, self.language)}
        title = self._title("path", outcome)
        return self._result(frame, ("period",), measures, title, chart="pilot_path", look=look)

    @where("evaluation")
    def gap(self) -> Result | None:
        """The effect on the first outcome period by period, with intervals from the placebos."""
        first = self.outcomes[0]
        frame = self._interval(self.evaluation.effects[first].event_study, "effect", "estimate")
        measures = [self._size("effect", frame["effect"], interval="given")]
        look = {"start": self.specification.start}
        return self._result(frame, ("period",), measures, self._title("gap", first), chart="event_study", look=look)

    @where("evaluation")
    def placebos(self) -> Result | None:
        """The gap of the treated unit among those of units without the policy, each taken as if it had it."""
        first, treated = self.outcomes[0], self.specification.treated_unit
        effect = self.evaluation.effects[first]
        own = effect.path[["period", "gap"]].assign(unit=treated)
        others = effect.placebo_paths
        frame = pd.concat([own, others[others["unit"].astype(str) != str(treated)]], ignore_index=True)
        measures = [self._size("gap", frame["gap"])]
        look = {"start": self.specification.start, "treated": treated, "across": "period"}
        keys = ("unit", "period")
        return self._result(frame, keys, measures, self._title("placebos", first), chart="placebos", look=look)

    @where("evaluation")
    def weights(self) -> Result | None:
        """How much each unit counts in the comparison: a map of districts, else bars."""
        given, first = self.specification, self.outcomes[0]
        ours = bool(given.policy_id)
        key = "district" if ours else "unit"
        frame = self.evaluation.effects[first].weights.rename(columns={"unit": key})
        look = {}
        if self._in_district:
            look["highlight"] = {given.treated_unit: terms.label("treated", self.language)}
            look["others"] = terms.text("policy.outside_pool", self.language)
        measures = [Measure("weight", "share", statistic="estimate")]
        chart = "map" if self._in_district else "bars"
        return self._result(frame, (key,), measures, self._title("weights", first), chart=chart, look=look)

    @property
    def _in_district(self) -> bool:
        """Whether the treated unit is one of the country's districts."""
        given = self.specification
        return bool(given and given.policy_id) and areas.get(given.treated_unit).level == "district"

    @where("evaluation")
    def choices(self) -> Result | None:
        """The first outcome's effect under every pool, window and estimator: the specification curve."""
        first = self.outcomes[0]
        table = robustness(self.comparison.panel, self.specification, outcome=first, pools=self.comparison.pools)
        frame = self._interval(table, "effect", "att")
        measures = [
            self._size("effect", frame["effect"], interval="given"),
            *self._p("p_value", "smallest_p"),
            Measure("n_donors", "count", counts="units"),
        ]
        few = frame[frame["smallest_p"] > LEVEL].drop_duplicates("pool")
        notes = [
            terms.text(
                "policy.few_in_pool",
                self.language,
                pool=terms.label(row.pool, self.language),
                n=terms.number(row.n_donors, self.language),
                p=terms.number(row.smallest_p, self.language, 3),
            )
            for row in few.itertuples()
        ]
        keys, title = ("pool", "window", "method"), self._title("choices", first)
        return self._result(frame, keys, measures, title, chart="choices", notes=tuple(notes))

    @cached_property
    def doubts(self) -> tuple[Result, ...]:
        """Conformal sets by the unit's own past, each weighted unit left out, and the start moved back."""
        if not self.evaluation:
            return ()
        first = self.outcomes[0]
        effect = self.evaluation.effects[first]
        conformal = self._interval(effect.conformal, "effect", "estimate")
        left_out = effect.leave_one_out.rename(columns={"unit": "left_out", "att": "effect"})
        in_time = effect.in_time.rename(columns={"start": "period", "att": "effect"})
        size, fit = self._size("effect", [effect.att]), self._size("pre_rmspe", [effect.att])
        bounded = replace(size, interval="given")
        weight = Measure("weight", "share", statistic="estimate")
        found = {
            "conformal": (conformal, "period", [bounded, *self._p("p_value")]),
            "leave_one_out": (left_out, "left_out", [size, weight, fit]),
            "in_time": (in_time, "period", [size, fit]),
        }
        return tuple(
            self._result(frame, (key,), measures, self._title(name, first))
            for name, (frame, key, measures) in found.items()
            if len(frame)
        )

    # the staggered programme

    @where("staggered")
    def programme(self) -> Result | None:
        """The effect of the programme by periods since adoption, with the band that holds for all of them at once."""
        effect = self.staggered.headline
        frame = self._interval(effect.event_study, "effect", "estimate")
        bands = [self._size(name, frame["effect"]) for name in ("band_low", "band_high") if name in frame]
        measures = [self._size("effect", frame["effect"], interval="given"), *bands]
        title = self._title("programme", effect.outcome)
        notes = effect.warnings if self.own else ()
        return self._result(frame, ("relative_period",), measures, title, chart="event_study", notes=notes)

    @where("staggered")
    def methods(self) -> Result | None:
        """The programme's effect by group-time effects, by imputation, and by two-way fixed effects."""
        frame = self._interval(self.staggered.to_frame(), "effect", "att")
        measures = [self._size("effect", frame["effect"], interval="given")]
        return self._result(frame, ("method",), measures, "policy.methods_table")

    @cached_property
    def contrasts(self) -> Result | None:
        """Which comparisons the two-way number is made of (Goodman-Bacon 2021)."""
        if not self.staggered or self.staggered.comparisons.empty:
            return None
        frame = self.staggered.comparisons.rename(columns={"att": "effect"})
        measures = [Measure("share", "share", statistic="estimate"), self._size("effect", frame["effect"])]
        return self._result(frame, ("contrast",), measures, "policy.contrasts_table")

    @where("staggered")
    def sensitivity(self) -> Result | None:
        """95 % sets of the reported average when trends were not parallel by bounded amounts."""
        effect = self.staggered.headline
        bounds = {"relative_magnitudes": MAGNITUDES, "smoothness": [float(f"{one * effect.se:.2g}") for one in SLOPES]}
        try:
            sets = {kind: sensitivity(effect, kind=kind, m=m, target="att") for kind, m in bounds.items()}
        except EstimationError as reason:
            return self._refused(reason)
        parts = [table.assign(restriction=kind) for kind, table in sets.items()]
        frame = pd.concat(parts, ignore_index=True).rename(columns={"m": "bound"})
        scaled = (frame["restriction"] == "smoothness") & self._share  # a slope of a share, in points
        frame["bound"] = [f"{100 * one if own else one:g}" for one, own in zip(frame["bound"], scaled, strict=True)]
        falls = sets["relative_magnitudes"].attrs["breakdown"]
        frame["breakdown"] = np.where(frame["restriction"] == "relative_magnitudes", falls, np.nan)
        measures = [self._size(name, [effect.att]) for name in ("ci_low", "ci_high")]
        measures.append(Measure("breakdown", "number", 2, statistic="estimate"))
        kind = "none" if falls == 0 else "some" if np.isfinite(falls) else "beyond"

        def sentence(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
            row = {"restriction": "relative_magnitudes", "bound": frame["bound"].iloc[0]}
            known = {"bound": shown.figure("breakdown", **row)} if kind == "some" else {}
            return [(f"policy.breakdown_{kind}", known)]

        keys, title = ("restriction", "bound"), "policy.sensitivity_table"
        return self._result(frame, keys, measures, title, notes=("policy.bounds",), sentence=sentence)

    @cached_property
    def pretrend(self) -> Result | None:
        """The joint test that nothing happened before adoption."""
        if not self.staggered or not self.staggered.headline.pretrend:
            return None
        test = self.staggered.headline.pretrend
        names = ("n_periods", "largest", "p_value")
        row = {"method": "callaway_santanna"} | {name: getattr(test, name) for name in names}
        measures = [
            Measure("n_periods", "count", counts="periods"),
            Measure("largest", "number", 2, statistic="estimate"),
            *self._p("p_value"),
        ]
        frame, notes = pd.DataFrame([row]), ("policy.pretrend_limits",)
        return self._result(frame, ("method",), measures, "policy.pretrend_table", notes=notes)

    @cached_property
    def next(self) -> Result | None:
        """The other districts of the treated one's city by the gain to be expected there."""
        if not (self.evaluation and self.staggered and self._in_district):
            return None
        known = set(self.panel["district"])
        candidates = [
            one.code for one in areas.peers(self.specification.treated_unit) if one.code in known - set(self.late)
        ]
        try:
            rows = self.panel[self.panel["district"].isin([*self._programme["district"], *candidates])]
            found = where_next(rows, candidates=candidates, **self._columns)
        except EstimationError as reason:
            return self._refused(reason)
        frame = self._interval(found.to_frame().rename(columns={"unit": "district"}), "gain", "gain")
        measures = [
            self._size("gain", frame["gain"], interval="given"),
            Measure("probability", "share", statistic="estimate"),
        ]
        adopters = Measure("n_adopters", "count", counts="units")
        frame = frame.assign(n_adopters=found.n_adopters)
        return self._result(
            frame, ("district",), [*measures, adopters], "policy.next_table", chart="dot", sentence=_next_sentence
        )

    def _refused(self, reason: EstimationError) -> None:
        """Nothing can be shown, which a choice of one's own is told."""
        if self.adopting:
            raise reason

    # what is said

    @property
    def findings(self) -> tuple[str | Result, ...]:
        """What is said, in order: each outcome's effect with its verdict, the programme's, and where next."""
        given = self.specification
        said: list[str | Result | None] = [self._judged] if given and isinstance(self._judged, str) else []
        said += [self.finding(one) for one in self.outcomes]
        said += ["policy.exploratory"] if self.own or (given and given.exploratory) else []
        said += [self.programme_finding, self.sensitivity, self.next]
        return tuple(one for one in said if one is not None)

    def finding(self, outcome: str) -> Result:
        """One outcome in a sentence: the mean effect, the verdict, each period's effect, and when it was specified."""
        given, effect = self.specification, self.evaluation.effects[outcome]
        whole = self.effects.frame[self.effects.frame["outcome"] == outcome].assign(period=TOTAL)
        parts = self._interval(_spread(effect.event_study, QUARTERS), "effect", "estimate")
        frame = pd.concat([whole.assign(outcomes=len(self.outcomes)), parts])
        frame = frame.assign(unit=given.treated_unit, start=given.start, outcome=outcome).reset_index(drop=True)
        measures = [*self.effects.measures, Measure("outcomes", "count", counts="outcomes")]
        verdict = self.evaluation.verdicts(relevant=self.relevant)[outcome]

        def sentence(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
            row = {"unit": given.treated_unit, "start": given.start, "outcome": outcome, "period": TOTAL}
            words = {name: shown.name(name, row[name]) for name in ("unit", "start", "outcome")}
            words |= judged(shown, row, self._share)
            said = [("policy.finding", words), _verdict(verdict, shown)]
            if len(self.outcomes) > 1 and verdict.reason != "withheld":
                said.append(("policy.finding_adjusted", {"outcomes": shown.figure("outcomes", **row)}))
            if verdict.key == "yes" and abs(effect.att) < effect.detectable:
                said.append(("policy.finding_weak", words))
            said += _unfolded(shown, row, "period", self._share)
            if given.policy_id and outcome == self.outcomes[0] and given.recorded_late:
                began = terms.date(given.began, language) if given.began else terms.quarter(given.start, language)
                days = {"recorded": terms.date(given.recorded, language), "began": began}
                said.append(("policy.ledger_late", days))
            return said

        return self._result(frame, ("unit", "start", "outcome", "period"), measures, "", sentence=sentence)

    @where("staggered")
    def programme_finding(self) -> Result | None:
        """The staggered programme in a sentence."""
        effect = self.staggered.headline
        sizes = {name: getattr(effect, name) for name in ("n_units", "n_treated", "n_treated_clusters")}
        whole = self._interval(effect.to_frame(), "effect", "att").assign(relative_period=TOTAL, **sizes)
        parts = self._interval(_spread(effect.event_study, STEPS), "effect", "estimate")
        frame = pd.concat([whole, parts]).assign(method=effect.method, outcome=effect.outcome).reset_index(drop=True)
        counts = [Measure(name, "count", counts=name) for name in sizes]
        measures = [self._size("effect", frame["effect"], interval="given"), *self._p("p_value"), *counts]
        kind = "own" if self.own else "demo" if self.provenance.demo else "ours"
        found = {"placebos": "_few", "withheld": "_withheld"}.get(effect.inference, "")

        def sentence(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
            row = {"method": effect.method, "outcome": effect.outcome, "relative_period": TOTAL}
            words = {"outcome": shown.name("outcome", effect.outcome)} | judged(shown, row, self._share)
            words |= {name: shown.figure(name, **row) for name in sizes}
            said = [] if kind == "own" else [(f"policy.programme_{kind}", {})]
            said += [(f"policy.programme_found{found}", words), _verdict(effect.verdict(relevant=self.relevant), shown)]
            return said + _unfolded(shown, row, "relative_period", self._share)

        return self._result(frame, ("method", "outcome", "relative_period"), measures, "", sentence=sentence)

    @property
    def leading(self) -> str:
        """The name of the figure that a brief leads with."""
        return "pilot_effect" if self.specification else "staggered_effect"

    @property
    def _as_recorded(self) -> bool:
        """Whether all outcomes of the ledger are judged, and nothing was chosen against it."""
        given = self.specification
        if given is None or not given.policy_id or given.exploratory:
            return False
        return given.outcomes == tuple(self.policies.loc[self.policies["policy_id"] == given.policy_id, "outcome"])

    @cached_property
    def headline(self) -> Result:
        """The figures that other notebooks may read: the effects and their p, missing where there is none."""
        first = self.evaluation.effects[self.outcomes[0]] if self.evaluation else None
        effects = {"pilot": first, "staggered": self.staggered.headline if self.staggered else None}
        unit = self.specification.treated_unit if self.specification else TOTAL
        key = "district" if self._as_recorded else "unit"  # of a district it is the catalogue's indicator
        frame = pd.DataFrame({key: [unit]})
        measures = []
        for name, effect in effects.items():
            frame[f"{name}_effect"] = effect.att if effect else np.nan
            frame[f"{name}_p"] = effect.p_value if effect else np.nan
            measures += [self._size(f"{name}_effect", frame[f"{name}_effect"]), *self._p(f"{name}_p")]
        return self._result(frame, (key,), measures, "policy.effects_table")


def _spread(study: pd.DataFrame, most: int) -> pd.DataFrame:
    """The periods since the start where they are several; of many some, evenly apart, the first and the last too."""
    table = study[study["relative_period"] >= 0]
    places = np.linspace(0, len(table) - 1, min(len(table), most)).round().astype(int)
    return table.iloc[np.unique(places)] if len(table) > 1 else table.iloc[:0]


def _unfolded(shown: Any, row: dict[str, Any], key: str, share: bool) -> list[tuple[str, dict[str, Any]]]:
    """The effect period by period; nothing where there is but the whole."""
    parts = []
    for one in shown.data[key]:
        if one != TOTAL:
            size = shown.figure("effect", **{**row, key: one}).bare(shown.language)
            named = {"period": shown.name(key, one)} if key == "period" or one else {}
            text = "policy.at" if key == "period" else "policy.after" if one else "policy.at_start"
            parts.append(shown.words(text, size=size, **named))
    return [("policy.unfolding_points" if share else "policy.unfolding", {"parts": tuple(parts)})] if parts else []


def _verdict(verdict: Verdict, shown: Any) -> tuple[str, dict[str, Any]]:
    words = {"word": f"verdict_{verdict.key}", "reason": f"because_{verdict.reason}"}
    return "policy.verdict", {name: shown.words(f"policy.{key}") for name, key in words.items()}


def _next_sentence(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
    """The first candidate with its interval, and whether it can be told from the others."""
    first = {"district": shown.data["district"].iloc[0]}
    ends = {end: shown.figure(f"ci_{end}", **first).bare(language) for end in ("low", "high")}
    probability = shown.figure("probability", **first)
    words = {
        "unit": shown.name("district", first["district"]),
        "gain": shown.words("policy.points", size=shown.figure("gain", **first).bare(language)),
        "interval": shown.words("policy.interval_points", **ends),
        "adopters": shown.figure("n_adopters", **first),
    }
    sure = probability.value is not None and probability.value >= 1 - LEVEL
    return [("policy.next", words), *([] if sure else [("policy.next_unsure", {"probability": probability})])]
