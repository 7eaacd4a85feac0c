"""Retention as results that a notebook shows: turnover, curves of staying, ways out, and what goes with leaving.

Each knows the numerators and denominators of its figures, so that what is shown is computed from rounded counts. A
curve is given by effective counts: the number of people without losses to follow-up whose share would have the same
error (Rothman 1978, Journal of Chronic Diseases 31, 557–560), n = S(1 − S) / var(S).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, EstimationError
from institute_lib.result import Measure, Provenance, Result, described_quarter, provenance_of
from institute_lib.retention.dependence import dependence
from institute_lib.retention.drivers import FEW_EVENTS, driver_word, level_name, merge_thin, usable_drivers
from institute_lib.retention.effects import change
from institute_lib.retention.hazard import BASELINE, HazardModel, with_picked
from institute_lib.retention.intervals import normal_quantile
from institute_lib.retention.judgement import out_of_time
from institute_lib.retention.pooling import local
from institute_lib.retention.quarters import band, exit_columns, person_quarters
from institute_lib.retention.rates import employed, rates
from institute_lib.retention.spells import first_day_after
from institute_lib.retention.survival import ALL, SurvivalCurves, cumulative_incidence, restricted_mean, survival

TOTAL = "total"
STEP, LONGEST = 0.25, 10.0  # years between the points of a curve, and its last one
STATES = ("certificate", "monthly_pay", "subsidy", "caseload", "supervised", "training_hours")
COUNTS = ("leavers", "leavers_gone", "average_headcount", "stayers", "headcount_start")
CALENDAR = ("year", "season")  # of the baseline, beside tenure: what changed for everybody, and when posts are filled
FIELD = "left_field"
REASONS = ("left_field", "moved_district", "promoted_away", "retired", "unknown")


def turnover(
    workers: pd.DataFrame, *, by: str | None = "district", quarter: str | None = None, since: str | None = None
) -> Result:
    """Annual turnover and stability by group and in all, with turnover a quarter and a year before.

    Parameters:
        workers: one row a spell, of the districts that reported.
        by: the column that makes groups; None for one row over all.
        quarter: the last of the four quarters, such as 2024Q4; by default the one that `Study.load` read.
        since: the quarter in which the register opens: rates over quarters before it are missing.

    Returns:
        Result by `by` (the whole as "total"): turnover with its exact Poisson interval, turnover_last_quarter,
        turnover_last_year, turnover_change (on the year, in points), turnover_without_moves (those who moved to another
        district, or are in post in one of the same city at the quarter's end, not counted), stability,
        average_headcount.

    Raises:
        As `retention.rates`.

    Source: as `retention.rates`.
    """
    now = described_quarter(workers, quarter)
    frame = _counted(workers, now, by, since)
    for name, back in (("last_quarter", 1), ("last_year", 4)):
        earlier = _counted(workers, str(pd.Period(now, freq="Q") - back), by, since)
        renamed = {column: f"{column}_{name}" for column in (*COUNTS, "turnover")}
        frame = frame.merge(earlier.rename(columns=renamed)[["group", *renamed.values()]], on="group", how="left")
    key = by or "group"
    past = [
        Measure(f"turnover_{name}", "share", of=(f"leavers_{name}", f"average_headcount_{name}"), interval="")
        for name in ("last_quarter", "last_year")
    ]
    return Result(
        frame.rename(columns={"group": key}),
        (key,),
        (
            Measure("turnover", "share", of=("leavers", "average_headcount"), interval="poisson"),
            *past,
            Measure("turnover_change", "points", of=("turnover", "turnover_last_year")),
            Measure("turnover_without_moves", "share", of=("leavers_gone", "average_headcount"), interval="poisson"),
            Measure("stability", "share", of=("stayers", "headcount_start"), interval="wilson"),
            Measure("average_headcount", "count"),
        ),
        "average_headcount",
        provenance_of(workers),
        title="notebooks.turnover_table",
        chart="dot",
    )


def turnover_sentence(figures: Mapping[str, Any]) -> str:
    """Which sentence of the catalogue of notebooks says these figures of `turnover`."""
    if figures["turnover"].state == "missing":
        return "turnover_too_early"
    return "turnover_first" if figures["turnover_last_year"].state == "missing" else "turnover_now"


def _counted(workers: pd.DataFrame, quarter: str, by: str | None, since: str | None) -> pd.DataFrame:
    """The rates of a quarter by group, the whole as "total"; missing where the register was not open."""
    parts = [rates(workers, quarter=quarter, by=()).assign(group=TOTAL)]
    if by:
        parts.insert(0, rates(workers, quarter=quarter, by=by).rename(columns={by: "group"}))
    frame = pd.concat(parts, ignore_index=True)
    figures = [*COUNTS, "turnover", "stability"]
    frame = frame.assign(leavers_gone=frame["leavers"] - frame["moved"])
    frame[figures] = frame[figures].astype(float)
    if since and str(pd.Period(quarter, freq="Q") - 3) < since:
        frame[[name for name in figures if name != "average_headcount"]] = np.nan
    return frame.assign(turnover_without_moves=frame["leavers_gone"] / frame["average_headcount"])


def turnover_history(
    workers: pd.DataFrame, *, quarter: str | None = None, since: str | None = None, quarters: int = 16
) -> Result:
    """Annual turnover at the end of each of the last quarters, as `turnover` counts it.

    Returns:
        Result by quarter: turnover with its exact Poisson interval.
    """
    last = pd.Period(described_quarter(workers, quarter), freq="Q")
    wanted = [str(last - back) for back in range(quarters - 1, -1, -1)]
    complete = [one for one in wanted if not since or str(pd.Period(one, freq="Q") - 3) >= since] or [str(last)]
    frame = pd.concat([_counted(workers, one, None, since) for one in complete], ignore_index=True)
    return Result(
        frame,
        ("quarter",),
        (Measure("turnover", "share", of=("leavers", "average_headcount"), interval="poisson"),),
        "average_headcount",
        provenance_of(workers),
        title="notebooks.turnover_history",
        chart="trend" if len(complete) > 1 else "table",
    )


def staying(
    workers: pd.DataFrame, *, by: str | None = None, quarter: str | None = None, since: str | None = None
) -> Result:
    """The share still employed by length of tenure, every quarter of a year (Kaplan–Meier, as `survival`).

    Returns:
        Result by `by` and time (years): survival with its log(−log) interval, at_risk.
    """
    curves = survival(workers, by=by, until=described_quarter(workers, quarter), since=since)
    return curve_result(curves, key=by or "group", provenance=provenance_of(workers))


def curve_result(curves: SurvivalCurves, *, key: str = "group", provenance: Provenance) -> Result:
    """Curves of `survival` as `staying` gives them."""
    rows = []
    for group, curve in curves.table.groupby("group", sort=False):
        for time in np.arange(STEP, min(LONGEST, curve["time"].max()) + STEP / 2, STEP):
            at = np.searchsorted(curve["time"], time, side="right") - 1
            known = curve.iloc[max(at, 0)]
            share, error = (known["survival"], known["se"]) if at >= 0 else (1.0, 0.0)
            people, fewest = float(known["at_risk"]), float(curve["at_risk"].iloc[: max(at, 0) + 1].min())
            rows.append((group, time, share, *_effective(share, error, people), fewest, people))
    names = ["group", "time", "survival", "staying", "effective", "fewest", "at_risk"]
    frame = pd.DataFrame(rows, columns=names)
    return Result(
        frame.rename(columns={"group": key}),
        (key, "time"),
        (
            Measure("survival", "share", of=("staying", "effective", "fewest"), interval="effective"),
            Measure("at_risk", "count"),
        ),
        "at_risk",
        provenance,
        title="notebooks.survival",
        chart="survival",
        notes=("retention.curve_begins",),
        sentence=lambda shown, language: _staying_sentence(shown, key, language),
    )


def compared(workers: pd.DataFrame, *, by: str, quarter: str | None = None, since: str | None = None) -> Result | None:
    """Whether the curves of `staying` differ: the log-rank test, and the mean years that each group stays.

    Returns:
        Result by `by`: mean_years in post of the first ten, or of as many as all groups reach, with its interval;
        logrank_p of all groups together, as "total". None for one group.
    """
    curves = survival(workers, by=by, until=described_quarter(workers, quarter), since=since)
    if curves.logrank is None:
        return None
    horizon = min(LONGEST, curves.restricted["horizon"].iloc[0])
    means = {name: restricted_mean(table, horizon) for name, table in curves.table.groupby("group")}
    frame = curves.groups[["group", "people", "events"]].assign(
        mean_years=[means[name][0] for name in curves.groups["group"]],
        se=[means[name][1] for name in curves.groups["group"]],
    )
    half = normal_quantile() * frame["se"]
    frame = frame.assign(mean_years_low=frame["mean_years"] - half, mean_years_high=frame["mean_years"] + half)
    whole = frame[["people", "events"]].sum().to_dict() | {"group": TOTAL, "logrank_p": curves.logrank["p_value"]}
    frame = pd.concat([frame, pd.DataFrame([whole])], ignore_index=True).rename(columns={"group": by})
    years = {"digits": 2, "statistic": "estimate"}
    clear = "differ" if whole["logrank_p"] < 0.05 else "alike"
    return Result(
        frame,
        (by,),
        (
            Measure("mean_years", "number", **years, interval="given"),
            Measure("logrank_p", "number", 3, statistic="estimate"),
        ),
        "people",
        provenance_of(workers),
        title="notebooks.compared",
        events="events",
        notes=("retention.mean_years",),
        sentence=lambda _, language: [(f"retention.kinds_{clear}", {})],
    )


def workforce(workers: pd.DataFrame, *, by: str = "district", quarter: str | None = None) -> Result:
    """How many are in post on the quarter's last day, and who they are, by group and in all.

    Returns:
        Result by `by` (the whole, of several groups, as "total"): workforce, workforce_last_year, and of those whose
        answer is on record the shares of women, of those under 35, with a degree, and on a permanent contract.
    """
    last = pd.Period(described_quarter(workers, quarter), freq="Q")
    here, before = (workers[employed(workers, first_day_after(one))] for one in (last, last - 4))
    answers = {
        "women_share": here["gender"].map({"female": 1.0, "male": 0.0}),
        "under_35_share": (last.year - here["birth_year"] < 35).astype(float).where(here["birth_year"].notna()),
        "degree_share": here["education"].map({"secondary": 0.0, "college": 0.0, "bachelor": 1.0, "master": 1.0}),
        "permanent_share": here["contract"].map({"permanent": 1.0, "fixed_term": 0.0, "project": 0.0}),
    }
    groups = sorted(workers[by].unique())
    parts = {one: here[by] == one for one in groups} | ({TOTAL: here[by].notna()} if len(groups) > 1 else {})
    rows = []
    for name, own in parts.items():
        row = {by: name, "workforce": here.loc[own, "worker_id"].nunique()}
        row["workforce_last_year"] = before.loc[(name == TOTAL) | (before[by] == name), "worker_id"].nunique()
        for share, answer in answers.items():
            known = answer[own].dropna()
            row |= {share: known.mean(), f"{share}_yes": known.sum(), f"{share}_known": len(known)}
        rows.append(row)
    shares = [Measure(name, "share", of=(f"{name}_yes", f"{name}_known")) for name in answers]
    return Result(
        pd.DataFrame(rows),
        (by,),
        (Measure("workforce", "count"), Measure("workforce_last_year", "count"), *shares),
        "workforce",
        provenance_of(workers),
        title="notebooks.workforce",
        sentence=lambda shown, _: [("retention.workforce", shown.figures(**{by: rows[-1][by]}))],
    )


def _effective(share: float, error: float, people: float) -> tuple[float, float]:
    """Those who stay and all, of a sample without losses that would have the same error."""
    size = share * (1 - share) / error**2 if error > 0 else people
    return share * size, size


def _staying_sentence(shown: Any, key: str, language: str) -> list[tuple[str, dict[str, Any]]]:
    """For each group the share after one and three years, and when half have left."""
    said = []
    for group in dict.fromkeys(shown.data[key]):
        curve = shown.data[shown.data[key] == group]
        figures = {name: shown.figure("survival", **{key: group, "time": years}) for name, years in _YEARS.items()}
        if figures["one"].state == "missing":
            continue
        below = curve.loc[curve["survival"] <= 0.5, "time"]
        words = {"group": shown.name(key, group), **figures}
        if len(below):
            median = shown.derive(float(below.iloc[0]), "number", digits=2)
            said.append(("retention.staying", words | {"median": median}))
        else:
            said.append(("retention.staying_no_median", words))
    return said


_YEARS = {"one": 1.0, "three": 3.0}


def ways_out(workers: pd.DataFrame, *, years: int = 3, quarter: str | None = None, since: str | None = None) -> Result:
    """The share that has left by each reason within some years of entry (Aalen–Johansen, as `cumulative_incidence`).

    Returns:
        Result by reason, every reason of the contract: incidence with its log(−log) interval.
    """
    until = described_quarter(workers, quarter)
    everyone = survival(workers, until=until, since=since)
    table = everyone.table.assign(reason="", incidence=0.0)  # where nobody leaves there is no way out to estimate
    if everyone.n_events:
        table = cumulative_incidence(workers, until=until, since=since).table
    seen = table[table["time"] <= years]
    at_risk = (seen if len(seen) else table.head(1))["at_risk"]
    people, fewest = float(at_risk.max()), float(at_risk.min())
    observed = table["time"].max() >= years
    rows = []
    for reason in REASONS:
        curve = seen[seen["reason"] == reason]
        share, error = (curve["incidence"].iloc[-1], curve["se"].iloc[-1]) if len(curve) else (0.0, 0.0)
        gone, size = _effective(share, error, people) if observed else (np.nan, np.nan)
        rows.append((reason, share if observed else np.nan, gone, size, fewest, people))
    return Result(
        pd.DataFrame(rows, columns=["reason", "incidence", "gone", "effective", "fewest", "people"]),
        ("reason",),
        (Measure("incidence", "share", of=("gone", "effective", "fewest"), interval="effective"),),
        "people",
        provenance_of(workers),
        title="notebooks.ways_out",
        chart="dot",
    )


@dataclass(frozen=True)
class Drivers:
    """What goes with leaving in an area: the ratios, the same in people, levers, and how the model does.

    Attributes:
        ratios: by driver and level the odds ratio of leaving the field in a quarter, who leaves otherwise being
            censored then, with the interval adjusted for how many are compared and the person-quarters behind it; of
            leaving in any way where hardly anybody is known to have left the field.
        everyone: the same of leaving in any way; None where that is what `ratios` holds.
        effects: leavers in any way per hundred people and quarter.
        levers: what a change of level goes with, in leavers per hundred over a year; None where no lever varies.
        calibration: expected and observed leaving in the last four quarters; None where the register is too young.
        notes: what must be said of the model, in words without figures of persons.
    """

    ratios: Result
    everyone: Result | None
    effects: Result
    levers: Result | None
    calibration: Result | None
    notes: tuple[str, ...]


def what_goes_with_leaving(
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    area: Sequence[str],
    among: Sequence[str],
    bands: Mapping[str, Sequence[float]],
    levers: Mapping[str, tuple[str, str]],
    quarter: str | None = None,
    since: str | None = None,
    language: str = "zh",
) -> Drivers:
    """Discrete-time hazards of leaving for an area, leaning on its city where it has too few leavers.

    Leaving the field is told apart from retirement, promotion and a move to another district: its hazard is
    cause-specific. Calendar year and season stand in the baseline beside the drivers asked for.

    Parameters:
        workers, changes: of the whole city, one row a spell and one a change.
        area: the districts asked about. among: the drivers wanted; those that the rows cannot speak about are left out.
        bands: numbers to the limits of their bands, as `band`. levers: driver to the levels (from, to).

    Returns:
        Drivers.

    Raises:
        As `person_quarters`, `band` and `hazard`.
    """
    until = described_quarter(workers, quarter)
    rows = person_quarters(workers, until=until, changes=changes, since=since)
    states = [name for name in STATES if name in rows]
    recorded = rows[states].notna().any(axis=1) if states else pd.Series(True, index=rows.index)
    if recorded.any():  # before somebody's first state pay and certificate are unknown together: nothing to compare
        rows = rows[recorded].reset_index(drop=True)
    rows = exit_columns(band(rows, **bands))
    asked = {"area": area, "among": [*CALENDAR, *among], "language": language}
    whole = _fitted(rows, "left", **asked)
    enough = FIELD in rows.attrs["exits"] and rows[FIELD].sum() >= FEW_EVENTS
    apart = _fitted(rows, FIELD, **asked) if enough else None
    shown = apart or whole
    provenance = provenance_of(workers) | provenance_of(changes)
    calibration = _calibration(whole, since, until, provenance)
    tied = dependence(
        shown.here, drivers=[name for name in shown.used if name not in CALENDAR], others=["district", "quarter"]
    )
    return Drivers(
        _ratios(shown, provenance),
        _ratios(whole, provenance) if apart else None,
        _effects(whole, provenance),
        _levers(whole, levers, provenance),
        calibration,
        (
            terms.text("retention.baseline", language),
            *dict.fromkeys(note for one in (shown, whole) for note in one.notes),
            *([] if calibration else [terms.text("retention.not_judged", language)]),
            *([] if recorded.all() else [terms.text("retention.unrecorded_left_out", language)]),
            *(_hardly_apart(one, language) for one in tied[tied["nearly"]].itertuples()),
            terms.text("retention.many_levels", language),
        ),
    )


@dataclass(frozen=True)
class _Fitted:
    """A hazard of one way of leaving, the rows of the area and of all, its drivers, and what must be said of it."""

    event: str
    model: HazardModel
    here: pd.DataFrame
    everyone: pd.DataFrame
    kind: str  # "own", "pooled" or "city", as `local` says
    used: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def basis(self) -> pd.DataFrame:
        return self.everyone if self.kind == "city" else self.here

    @property
    def rows(self) -> pd.DataFrame:
        """Those that the estimates come from, a pooled model's included."""
        return self.here if self.kind == "own" else self.everyone

    @cached_property
    def sizes(self) -> pd.DataFrame:
        """The distinct persons and leavers at each level, the reference included: term, level, persons, events."""
        levels, persons = self.model.levels, {}
        sizes = levels.loc[~levels["term"].isin(CALENDAR), ["term", "level", "rows", "events"]].copy()
        for term in sizes["term"].unique():
            if term in self.basis:
                counted = self.basis.groupby(self.basis[term].map(level_name), observed=True)["worker_id"].nunique()
                persons |= {(term, level): n for level, n in counted.items()}
        sizes["persons"] = [persons.get((row.term, row.level), row.events) for row in sizes.itertuples()]
        return sizes

    @property
    def residual(self) -> int:
        return self.basis["worker_id"].nunique() - len(self.model.coefficients)


def _fitted(rows: pd.DataFrame, event: str, *, area: Sequence[str], among: Sequence[str], language: str) -> _Fitted:
    everyone, merged = merge_thin(rows, event=event, drivers=among, language=language)
    here = everyone[everyone["district"].isin(area)].reset_index(drop=True)
    used, left_out = usable_drivers(here, event=event, drivers=among, within=everyone, language=language)
    found = local(everyone, area=area, event=event, drivers=used, cluster="assignment")
    lead = terms.text(f"retention.of_{event}", language)
    said = [terms.text(f"retention.model_{found.basis}", language), *_set_at(found.model, language)]
    changed = [note for driver, note in (*merged.items(), *left_out.items()) if driver not in CALENDAR]
    notes = tuple(lead + note for note in (*said, *changed))
    return _Fitted(event, found.model, here, everyone, found.basis, used, notes)


def _set_at(model: Any, language: str) -> list[str]:
    """At which level the drivers are set, and their errors therefore cluster, where that is not the person."""
    if "clustered_by" not in model.coefficients:
        return []
    table = model.coefficients[["term", "clustered_by"]].drop_duplicates()
    wider = table[table["clustered_by"].isin(("station", "town", "district", "city"))]
    joined = "、" if language == "zh" else ", "
    return [
        terms.text(
            "retention.set_at",
            language,
            names=joined.join(driver_word(name, language) for name in rows["term"]),
            level=terms.label(str(level), language),
        )
        for level, rows in wider.groupby("clustered_by", sort=False)
    ]


def _hardly_apart(row: Any, language: str) -> str:
    """That a driver is nearly decided by others, without the share."""
    others = terms.listed((driver_word(name, language) for name in row.decided_by), language)
    return terms.text("retention.hardly_apart", language, driver=driver_word(row.driver, language), others=others)


def _by_level(fitted: _Fitted, estimates: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Each level with its estimate; a reference has none, but is there to be judged."""
    return fitted.sizes.merge(estimates[["term", "level", *columns]], on=["term", "level"], how="left")


def _ratios(fitted: _Fitted, provenance: Provenance) -> Result:
    frame = _by_level(fitted, with_picked(fitted.model.coefficients), [*RATIO, "p_value"])
    measures = [Measure(name, "ratio", digits=2) for name in ("picked_low", "picked_high")]
    return Result(
        frame,
        ("term", "level"),
        (Measure("ratio", "ratio", digits=2, interval="given"), Measure("rows", "count"), *measures),
        "persons",
        provenance,
        title=f"notebooks.drivers_{fitted.event}" if fitted.event == FIELD else "notebooks.drivers",
        chart="forest",
        events="events",
        residual=fitted.residual,
        sentence=_ratio_sentence(frame, fitted.event),
    )


RATIO = ("ratio", "ratio_low", "ratio_high", "picked_low", "picked_high")


def _ratio_sentence(frame: pd.DataFrame, event: str) -> Any:
    """The level with the clearest association of those that are shown, its interval adjusted for having been picked."""

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        drivers = ~frame["term"].str.startswith(BASELINE)  # the clock is no driver
        there = frame[shown.data["ratio"].notna().to_numpy() & drivers.to_numpy()]
        if there.empty:
            return []
        best = there.loc[there["p_value"].idxmin()]
        of_row = {"term": best["term"], "level": best["level"]}
        names = {key: shown.name(key, value) for key, value in of_row.items()}
        interval = (shown.figure("picked_low", **of_row), shown.figure("picked_high", **of_row))
        clear = not best["picked_low"] <= 1 <= best["picked_high"]
        way = shown.words(f"retention.way_{event}")
        key = "retention.clearest" if clear else "retention.none_clear"
        return [(key, {**names, "ratio": shown.figure("ratio", **of_row), "interval": interval, "way": way})]

    return said


def _effects(fitted: _Fitted, provenance: Provenance) -> Result:
    columns = {name: f"leavers_per_hundred{name.removeprefix('ci').removeprefix('estimate')}" for name in ESTIMATE}
    frame = _by_level(fitted, fitted.model.marginal_effects, list(columns)).rename(columns=columns)
    frame[list(columns.values())] *= 100
    return Result(
        frame,
        ("term", "level"),
        (Measure("leavers_per_hundred", "number", digits=2, interval="given"),),
        "persons",
        provenance,
        title="notebooks.effects",
        chart="forest",
        look={"unit": "people"},
        events="events",
        residual=fitted.residual,
    )


ESTIMATE = ("estimate", "ci_low", "ci_high")


def _levers(fitted: _Fitted, offered: Mapping[str, tuple[str, str]], provenance: Provenance) -> Result | None:
    rows, there = fitted.basis, {name for name in offered if name in fitted.used}
    pairs = {name: offered[name] for name in there if set(offered[name]) <= set(rows[name].astype(str))}
    if not pairs:
        return None
    table = change(fitted.model, pairs)
    persons = [
        min(rows.loc[rows[one.term].astype(str) == level, "worker_id"].nunique() for level in (one.before, one.after))
        for one in table.itertuples()
    ]
    frame = table.assign(persons=persons).rename(columns={"estimate": "lever_change"})
    frame = frame.rename(columns={"ci_low": "lever_change_low", "ci_high": "lever_change_high"})

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for one in frame.itertuples():
            of_row = {"term": one.term, "before": one.before, "after": one.after}
            words = {name: shown.name(name, value) for name, value in of_row.items()}
            figure = shown.figure("lever_change", **of_row)
            if figure.value is not None:
                interval = (shown.figure("ci_low", **of_row), shown.figure("ci_high", **of_row))
                key = "retention.lever_fewer" if figure.value < 0 else "retention.lever_more"
                found.append((key, {**words, "change": abs(figure), "interval": interval}))
        return found

    return Result(
        frame,
        ("term", "before", "after"),
        (Measure("lever_change", "number", digits=1, interval="given"),),
        "persons",
        provenance,
        title="notebooks.levers",
        chart="forest",
        look={"unit": "people"},
        sentence=said,
    )


def _calibration(fitted: _Fitted, since: str | None, until: str, provenance: Provenance) -> Result | None:
    """None where the register is younger than eight quarters, or the quarters before the last four bear no model."""
    if since and str(pd.Period(until, freq="Q") - 7) < since:
        return None
    try:
        judged = out_of_time(fitted.rows, event="left", drivers=fitted.used)
    except (DataError, EstimationError):  # nobody left of late, or the quarters before cannot bear a model: said below
        return None
    table = judged.calibration
    frame = table.assign(
        tenth=(table["bin"] + 1).astype(str),
        leavers=table["observed"] * table["rows"],
        expected_leavers=table["expected"] * table["rows"],
        predicted=table["expected"],
    )
    return Result(
        frame,
        ("tenth",),
        (
            Measure("observed", "share", of=("leavers", "rows"), interval="wilson"),
            Measure("predicted", "share", of=("expected_leavers", "rows")),
        ),
        "leavers",
        provenance,
        title="notebooks.calibration",
    )


__all__ = [
    "ALL",
    "Drivers",
    "staying",
    "turnover",
    "turnover_history",
    "turnover_sentence",
    "ways_out",
    "what_goes_with_leaving",
]
