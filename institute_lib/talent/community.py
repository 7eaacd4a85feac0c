"""Community workers as the main force: who is certified where, what the subsidy costs, and what one more costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.areas.reference import CENSUS
from institute_lib.errors import EstimationError
from institute_lib.results import Result
from institute_lib.tables.contracts import CERTIFICATES, EXAM_LEVELS, KINDS
from institute_lib.talent.checks import check_by, not_numbers, refuse, require, unknown_levels
from institute_lib.talent.fieller import Ratio, fieller
from institute_lib.talent.intervals import with_share

COMMUNITY = "community"
MONTHS, QUARTERS = 12, 4
# How many more workers one more point of an outcome means in a year, per worker employed.
PER_YEAR = {"certified_share": 1, "stay_rate": QUARTERS}


def employed(workers: pd.DataFrame, changes: pd.DataFrame, *, at: str, kind: str | None = COMMUNITY) -> pd.DataFrame:
    """Who is employed at the end of a day, each once, with the state known by then.

    Args:
        workers: worker_id, kind, district, town, entered, left.
        changes: worker_id, date, certificate and whatever else of the state; the last row by the day holds.
        kind: of worker; None for all.

    Returns:
        the columns of `workers`, then those of `changes`; without a state certificate is "unknown".

    Raises:
        DataError: a column is missing, an unknown kind or certificate, a number that is none or below zero.
    """
    require(workers, ("worker_id", "kind", "district", "entered", "left"), table="workers")
    require(changes, ("worker_id", "date", "certificate"), table="worker_changes")
    amounts = [name for name in ("subsidy", "training_hours", "caseload", "monthly_pay") if name in changes]
    refuse("workers", unknown_levels(workers, "kind", KINDS, table="workers"))
    refuse(
        "worker_changes",
        unknown_levels(changes, "certificate", CERTIFICATES, table="worker_changes"),
        not_numbers(changes, amounts, table="worker_changes"),
    )
    day = pd.Timestamp(at)
    here = workers[(workers["entered"] <= day) & ~(workers["left"] <= day)]
    here = here if kind is None else here[here["kind"] == kind]
    here = here.sort_values("entered").drop_duplicates("worker_id", keep="last")
    known = changes[(changes["date"] <= day) & changes["worker_id"].isin(here["worker_id"])]
    state = known.sort_values("date", kind="stable").drop_duplicates("worker_id", keep="last")
    state = state.drop(columns=[name for name in state if name in here and name != "worker_id"])
    joined = here.merge(state, how="left", on="worker_id")
    return joined.assign(certificate=joined["certificate"].fillna("unknown"))


def certified_share(
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    at: str,
    by: Sequence[str] = ("town",),
    kind: str | None = COMMUNITY,
) -> pd.DataFrame:
    """The share certified among community workers at the end of a day, by subdistrict.

    Args:
        by: town (subdistrict), district, or both; () for one row over all.
        kind: of worker; None for all.

    Returns:
        the columns of `by`, headcount, known (certificate on record), certified, subsidised, subsidy (mean monthly yuan
        of those who get one, missing where nobody does), share (certified / known) with share_low, share_high (Wilson).

    Raises:
        ParameterError: another grouping.
        DataError: as `employed`.
    """
    groups = check_by(by, ("district", "town"))
    here = employed(workers, changes, at=at, kind=kind)
    require(here, groups, table="workers")
    paid = here["subsidy"].where(here["subsidy"] > 0) if "subsidy" in here else pd.Series(math.nan, here.index)
    flags = pd.DataFrame(
        {
            "headcount": 1,
            "known": here["certificate"] != "unknown",
            "certified": here["certificate"].isin(EXAM_LEVELS),
            "subsidised": paid.notna(),
            "subsidy": paid.fillna(0.0),
        }
    ).astype(float)
    counted = here[groups].join(flags)
    grouped = counted.groupby(groups, observed=True) if groups else counted.groupby(lambda _: 0)
    sums = grouped[list(flags)].sum()
    sums = sums.reset_index() if groups else sums.reset_index(drop=True)
    sums["subsidy"] = sums["subsidy"] / sums["subsidised"].where(sums["subsidised"] > 0)
    return with_share(sums, numerator="certified", denominator="known", name="share")


def subsidy_bill(workers: pd.DataFrame, changes: pd.DataFrame, *, at: str, by: Sequence[str] = ()) -> pd.DataFrame:
    """What the certificate subsidy costs a year at the rates paid on a day, by level.

    Args:
        by: district, beside the certificate level.

    Returns:
        the columns of `by`, certificate, headcount, subsidised, monthly (mean yuan of those who get one, missing where
        nobody does), yearly (yuan: the month's sum twelve times).

    Raises:
        ParameterError: another grouping.
        DataError: as `employed`, or no subsidies on record.
    """
    groups = [*check_by(by, ("district",)), "certificate"]
    require(changes, ("subsidy",), table="worker_changes")
    here = employed(workers, changes, at=at)
    here = here[here["certificate"].isin(EXAM_LEVELS)]
    paid = here["subsidy"].fillna(0.0)
    counted = here[groups].assign(headcount=1, subsidised=(paid > 0).astype(int), month=paid)
    sums = counted.groupby(groups, observed=True)[["headcount", "subsidised", "month"]].sum().reset_index()
    order = {level: rank for rank, level in enumerate(EXAM_LEVELS)}
    sums = sums.sort_values([*groups[:-1], "certificate"], key=lambda column: column.map(order).fillna(column))
    monthly = sums["month"] / sums["subsidised"].where(sums["subsidised"] > 0)
    return sums.assign(monthly=monthly, yearly=MONTHS * sums["month"]).drop(columns="month").reset_index(drop=True)


@dataclass(frozen=True)
class CostEffectiveness(Result):
    """What one more certified, or one more retained, worker costs.

    `frame`: outcome, cost (yuan a year), headcount, effect (share), effect_low, effect_high, additional (workers),
    estimate (yuan for one more), low, high, kind ("bounded", "exclusive", "unbounded"), bounded.
    """

    frame: pd.DataFrame
    ratios: Mapping[str, Ratio]
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def sentences(self, language: str = "zh") -> tuple[str, ...]:
        """One sentence an outcome; where the cost has no upper limit, it says so."""
        return tuple(
            terms.text(
                "talent.cost_negative" if row["estimate"] < 0 else f"talent.cost_{row['kind']}",
                language,
                what=terms.text(f"talent.one_more_{row['outcome']}", language),
                cost=terms.number(row["estimate"], language),
                interval=self.ratios[row["outcome"]].words(language),
            )
            for row in self.frame.to_dict("records")
        )

    def summary(self, language: str = "zh") -> str:
        """All outcomes' sentences."""
        return ("" if language == "zh" else " ").join(self.sentences(language))


def cost_effectiveness(cost: float, effects: Mapping[str, Any], *, headcount: float) -> CostEffectiveness:
    """Cost of one more worker, with the effect's uncertainty carried through (Fieller).

    Args:
        cost: yuan a year, as paid (no error).
        effects: outcome ("certified_share", "stay_rate") to an effect of the policy room (its `att` and `se`), in
            shares. A quarterly stay rate counts four times a year.
        headcount: workers that the policy covers.

    Raises:
        EstimationError: an effect without a standard error, nobody covered, or no such outcome.
        DataError: a cost below zero.
    """
    refuse("cost", not_numbers(pd.DataFrame({"cost": [cost]}), ("cost",), table="cost"))
    if not headcount > 0:
        raise EstimationError("the policy covers nobody: there is no cost per additional worker")
    rows, ratios = [], {}
    for outcome, effect in effects.items():
        if outcome not in PER_YEAR:
            raise EstimationError(f"cost per unit of {outcome!r} is not defined; allowed: {', '.join(PER_YEAR)}")
        if effect.se is None or not math.isfinite(effect.se):
            raise EstimationError(f"the effect on {outcome!r} has no standard error: its cost has no interval")
        factor = headcount * PER_YEAR[outcome]
        ratio = fieller(float(cost), float(effect.att) * factor, se_denominator=float(effect.se) * factor)
        ratios[outcome] = ratio
        rows.append(_cost_row(outcome, cost, headcount, effect, ratio) | {"additional": effect.att * factor})
    columns = ["outcome", "cost", "headcount", "effect", "effect_low", "effect_high", "additional"]
    frame = pd.DataFrame(rows)[[*columns, "estimate", "low", "high", "kind", "bounded"]]
    return CostEffectiveness(frame, ratios, tuple(dict.fromkeys(w for one in ratios.values() for w in one.warnings)))


def _cost_row(outcome: str, cost: float, headcount: float, effect: Any, ratio: Ratio) -> dict[str, Any]:
    low, high = effect.ci if getattr(effect, "ci", None) else (math.nan, math.nan)
    return {
        "outcome": outcome,
        "cost": float(cost),
        "headcount": float(headcount),
        "effect": float(effect.att),
        "effect_low": low,
        "effect_high": high,
        "estimate": ratio.estimate,
        "low": ratio.low,
        "high": ratio.high,
        "kind": ratio.kind,
        "bounded": ratio.bounded,
    }


def against_norm(
    workers: pd.DataFrame, *, at: str, area: str, norm: float, census: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Community workers of an area per 10,000 urban residents, beside the norm that is stated so.

    Args:
        workers: the contract's table, of the area.
        norm: per 10,000 urban residents (`targets()["community_workers"]`).
        census: `areas.reference("population_2020")`; None reads it. Only some areas have an urban row.

    Returns:
        one row: area, community_workers, urban_residents and per_10000 (missing where they are not published), norm.
    """
    census = areas.reference("population_2020") if census is None else census
    urban = census[(census["code"] == area) & census["unit"].str.endswith(terms.text("talent.urban_unit", "zh"))]
    residents = float(urban[CENSUS].iloc[0]) if len(urban) else math.nan
    day = pd.Timestamp(at)
    here = workers[(workers["entered"] <= day) & ~(workers["left"] <= day) & (workers["kind"] == COMMUNITY)]
    per = density(workers, at=at, urban_residents=residents) if residents > 0 else math.nan
    count = float(here["worker_id"].nunique())
    row = {"area": area, "community_workers": count, "urban_residents": residents, "per_10000": per, "norm": norm}
    return pd.DataFrame([row])


def density(workers: pd.DataFrame, *, at: str, urban_residents: float | None) -> float:
    """Community workers per 10,000 urban residents at the end of a day.

    Raises:
        EstimationError: the number of urban residents is not known (all residents are no substitute).
    """
    if urban_residents is None or not urban_residents > 0:
        raise EstimationError(
            "community workers per 10,000 urban residents have no denominator: the urban population is not published "
            "here, and all residents are no substitute"
        )
    day = pd.Timestamp(at)
    here = workers[(workers["entered"] <= day) & ~(workers["left"] <= day) & (workers["kind"] == COMMUNITY)]
    return 10_000 * here["worker_id"].nunique() / urban_residents
