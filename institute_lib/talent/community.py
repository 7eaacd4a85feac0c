"""Who is in post and certified, community workers as the main force, what the subsidy costs and what one more costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from institute_lib import areas, policy
from institute_lib.errors import EstimationError, ParameterError
from institute_lib.result import Measure, Result, described_quarter, provenance_of
from institute_lib.tables.contracts import CERTIFICATES, EXAM_LEVELS, KINDS
from institute_lib.talent.checks import (
    SUPERVISORS,
    TOTAL,
    check_by,
    not_numbers,
    refuse,
    require,
    unknown_levels,
    with_every,
    with_share,
)

COMMUNITY = "community"
MONTHS, QUARTERS = 12, 4
YARDSTICK = ("320600", "320500")  # the cities that the programme's effect is carried to: no comparison for it
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


def cost_effectiveness(cost: float, effects: Mapping[str, Any], *, headcount: float) -> pd.DataFrame:
    """Cost of one more worker, with the effect's uncertainty carried through (Fieller).

    Args:
        cost: yuan a year, as paid (no error).
        effects: outcome ("certified_share", "stay_rate") to an effect of the policy package (its `att` and `se`), in
            shares. A quarterly stay rate counts four times a year.
        headcount: workers that the policy covers.

    Returns:
        outcome, cost (yuan a year), headcount, effect (share), effect_low, effect_high, additional (workers), estimate
        (yuan for one more), low, high, kind ("bounded", "exclusive", "unbounded"), bounded.

    Raises:
        EstimationError: an effect without a standard error, nobody covered, or no such outcome.
        DataError: a cost below zero.
    """
    refuse("cost", not_numbers(pd.DataFrame({"cost": [cost]}), ("cost",), table="cost"))
    if not headcount > 0:
        raise EstimationError("the policy covers nobody: there is no cost per additional worker")
    rows = []
    for outcome, effect in effects.items():
        if outcome not in PER_YEAR:
            raise EstimationError(f"cost per unit of {outcome!r} is not defined; allowed: {', '.join(PER_YEAR)}")
        if effect.se is None or not math.isfinite(effect.se):
            raise EstimationError(f"the effect on {outcome!r} has no standard error: its cost has no interval")
        factor = headcount * PER_YEAR[outcome]
        ratio = fieller(float(cost), float(effect.att) * factor, se_denominator=float(effect.se) * factor)
        low, high = getattr(effect, "ci", None) or (math.nan, math.nan)
        row = {
            "outcome": outcome,
            "cost": float(cost),
            "headcount": float(headcount),
            "additional": effect.att * factor,
        }
        row |= {"effect": float(effect.att), "effect_low": low, "effect_high": high, "bounded": ratio.bounded}
        rows.append(row | {"estimate": ratio.estimate, "low": ratio.low, "high": ratio.high, "kind": ratio.kind})
    columns = ["outcome", "cost", "headcount", "effect", "effect_low", "effect_high", "additional"]
    return pd.DataFrame(rows)[[*columns, "estimate", "low", "high", "kind", "bounded"]]


@dataclass(frozen=True)
class Ratio:
    """A ratio of two uncertain numbers, with Fieller's set of the ratios that the data do not contradict.

    kind: "bounded" (low to high); "exclusive" (below low, or above high: the denominator may be zero);
    "unbounded" (every ratio). g: squared share of the denominator's half width in it; from 1 up it holds zero.
    """

    estimate: float
    low: float
    high: float
    kind: str
    g: float
    level: float
    warnings: tuple[str, ...] = ()

    @property
    def bounded(self) -> bool:
        return self.kind == "bounded"

    def contains(self, value: float) -> bool:
        """Whether a ratio lies in the set."""
        if self.kind == "exclusive":
            return value <= self.low or value >= self.high
        return self.low <= value <= self.high


def fieller(
    numerator: float,
    denominator: float,
    *,
    se_numerator: float = 0.0,
    se_denominator: float,
    covariance: float = 0.0,
    level: float = 0.95,
    df: float | None = None,
) -> Ratio:
    """The ratio of two (jointly normal) estimates and its confidence set.

    A ratio r is in the set where numerator - r × denominator is not significantly different from zero:
    (b² - t²v_b) r² - 2 (ab - t²c) r + (a² - t²v_a) ≤ 0, with a over b.

    Args:
        se_numerator, se_denominator, covariance: of the two estimates; a cost that is known exactly has error 0.
        df: degrees of freedom of the errors; None for the normal distribution.

    Raises:
        ParameterError: a number that is not finite, a negative error, a covariance beyond the errors, a wrong level.

    Source: Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
    """
    given = {
        "numerator": numerator,
        "denominator": denominator,
        "se_numerator": se_numerator,
        "se_denominator": se_denominator,
        "covariance": covariance,
    }
    _check(given, level)
    t = _quantile(level, df)
    a = denominator**2 - t**2 * se_denominator**2
    b = numerator * denominator - t**2 * covariance
    c = numerator**2 - t**2 * se_numerator**2
    g = (t * se_denominator / denominator) ** 2 if denominator else math.inf
    estimate = numerator / denominator if denominator else math.nan
    kind, low, high = _solve(a, b, c)
    warnings = () if kind == "bounded" else ("the denominator's interval holds zero: the ratio has no bounds",)
    return Ratio(estimate, low, high, kind, g, level, warnings)


def _solve(a: float, b: float, c: float) -> tuple[str, float, float]:
    """Where a r² - 2 b r + c ≤ 0."""
    root = b**2 - a * c
    if a > 0:
        half = math.sqrt(max(root, 0.0)) / a
        return "bounded", b / a - half, b / a + half
    if a == 0:  # the denominator touches zero: one side stays open
        if b == 0:
            return "unbounded", -math.inf, math.inf
        edge = c / (2 * b)
        return ("exclusive", -math.inf, edge) if b > 0 else ("exclusive", edge, math.inf)
    if root <= 0:
        return "unbounded", -math.inf, math.inf
    half = math.sqrt(root) / -a
    return "exclusive", b / a - half, b / a + half


def _quantile(level: float, df: float | None) -> float:
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + level / 2
    return float(ndtri(tail) if df is None else stdtrit(df, tail))


def _check(given: Mapping[str, float], level: float) -> None:
    for name, value in given.items():
        if not math.isfinite(value):
            raise ParameterError(f"fieller: {name} {value!r}: a finite number is needed")
        if name.startswith("se_") and value < 0:
            raise ParameterError(f"fieller: {name} {value!r}: a standard error is 0 or more")
    if abs(given["covariance"]) > given["se_numerator"] * given["se_denominator"] * (1 + 1e-12):
        raise ParameterError(f"fieller: covariance {given['covariance']!r} is larger than the two errors allow")
    if not 0 < level < 1:
        raise ParameterError(f"fieller: level {level!r}: allowed: between 0 and 1")


# Results: what a notebook shows. Workers are persons.


def _last_day(quarter: str) -> str:
    return str(pd.Period(quarter, freq="Q").end_time.date())


def placement(
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    exams: pd.DataFrame,
    talent: pd.DataFrame,
    *,
    quarter: str | None = None,
    since: str | None = None,
) -> Result:
    """Are the certified in post: by district and in all, of the districts whose workers there are.

    Parameters:
        workers, changes, exams, talent: of the whole city. Who passed or holds a title counts where the workers do.
        quarter: such as 2025Q4; by default the one that `Study.load` read.
        since: the quarter in which the register of workers opens: nothing before it is known.

    Returns:
        Result by district, the whole as "total": certified_in_post (of those employed whose certificate is known) with
        its Wilson interval, a year before, and its change on the year; passed_in_post (of the candidates who passed
        since the registers opened, those employed here); supervisor_share (of the certified in post, those who hold the
        title of supervisor or trainee); headcount.
    """
    now = described_quarter(workers, quarter)
    codes = sorted(workers["district"].unique())
    rows = []
    for code in (*codes, TOTAL):
        here = [code] if code != TOTAL else codes
        own, of_exams = (one[one["district"].isin(here)] for one in (workers, exams))
        row = {"district": code} | _placed(own, changes, of_exams, talent, now)
        before = str(pd.Period(now, freq="Q") - 4)
        known = _placed(own, changes, of_exams, talent, before) if not since or before >= since else {}
        row |= {f"{one}_last_year": known.get(one, math.nan) for one in ("certified_in_post", "certified", "known")}
        rows.append(row)
    return Result(
        pd.DataFrame(rows),
        ("district",),
        (
            Measure("certified_in_post", "share", of=("certified", "known"), interval="wilson"),
            Measure("certified_in_post_last_year", "share", of=("certified_last_year", "known_last_year")),
            Measure("certified_change", "points", of=("certified_in_post", "certified_in_post_last_year")),
            Measure("passed_in_post", "share", of=("passed_employed", "passed"), interval=""),
            Measure("supervisor_share", "share", of=("supervisors", "certified")),
            Measure("headcount", "count"),
        ),
        "headcount",
        provenance_of(workers, changes, exams, talent),
        title="notebooks.placement_table",
        chart="dot",
    )


def placement_words(shown: Any, code: str) -> tuple[str, dict[str, Any]]:
    """The sentence of one row of `placement`: a text of the catalogue and its figures."""
    names = ("certified_in_post", "certified_change", "passed_in_post", "supervisor_share", "headcount")
    figures = {name: shown.figure(name, district=code) for name in names}
    interval = (shown.figure("ci_low", district=code), shown.figure("ci_high", district=code))
    key = "placement_first" if figures["certified_change"].state == "missing" else "placement"
    return f"talent.{key}", figures | {"interval": interval}


def _placed(
    workers: pd.DataFrame, changes: pd.DataFrame, exams: pd.DataFrame, talent: pd.DataFrame, quarter: str
) -> dict[str, float]:
    """The counts of `placement` at the end of a quarter."""
    day = pd.Timestamp(_last_day(quarter))
    here = employed(workers, changes, at=_last_day(quarter), kind=None)
    known = here[here["certificate"] != "unknown"]
    certified = known[known["certificate"].isin(EXAM_LEVELS)]
    recent = exams[exams["passed"].astype(bool) & ~exams["stock"].astype(bool) & (exams["exam_date"] <= day)]
    passed = recent.sort_values("exam_date").drop_duplicates("candidate_id", keep="last")
    supervising = talent[talent["title"].isin(SUPERVISORS) & (talent["awarded"] <= day)]["person_id"]
    return {
        "headcount": len(here),
        "known": len(known),
        "certified": len(certified),
        "certified_in_post": len(certified) / len(known) if len(known) else math.nan,
        "passed": len(passed),
        "passed_employed": int(passed["worker_id"].isin(here["worker_id"]).sum()),
        "passed_in_post": passed["worker_id"].isin(here["worker_id"]).mean() if len(passed) else math.nan,
        "supervisors": int(certified["worker_id"].isin(supervising).sum()),
        "supervisor_share": certified["worker_id"].isin(supervising).mean() if len(certified) else math.nan,
    }


def community_certified(workers: pd.DataFrame, changes: pd.DataFrame, *, at: str, by: str = "district") -> Result:
    """The share certified among community workers, as `certified_share`, by district or town and in all.

    Returns:
        Result by `by`, the whole as "total": community_certified (of those whose certificate is known) with its Wilson
        interval, headcount.
    """
    parts = [certified_share(workers, changes, at=at, by=groups) for groups in ((by,), ())]
    places = dict.fromkeys(parts[0][by].dropna())
    if by == "town" and len(workers):  # a town without community workers reads like one with a few
        listed = areas.towns(str(workers["district"].iloc[0]))["town"]
        places = dict.fromkeys([*listed, *(code for code in places if code not in set(listed))])
    counts = ["headcount", "known", "certified"]
    every = [*places, TOTAL]
    frame = with_every(pd.concat([parts[0], parts[1].assign(**{by: TOTAL})]).dropna(subset=[by]), [by], every, counts)
    return Result(
        frame.assign(community_certified=frame["share"]),
        (by,),
        (
            Measure("community_certified", "share", of=("certified", "known"), interval="wilson"),
            Measure("headcount", "count"),
        ),
        "known",
        provenance_of(workers, changes),
        title="notebooks.certified_table",
        chart="dot",
    )


def subsidies(workers: pd.DataFrame, changes: pd.DataFrame, *, at: str) -> Result:
    """What the certificate subsidy costs a year, as `subsidy_bill`.

    Returns:
        Result by certificate: headcount, subsidised, monthly (mean yuan of those who get one), yearly (yuan).
    """
    counts = ["headcount", "subsidised", "monthly", "yearly"]
    return Result(
        with_every(subsidy_bill(workers, changes, at=at), ["certificate"], EXAM_LEVELS, counts).fillna(0.0),
        ("certificate",),
        (
            Measure("headcount", "count"),
            Measure("subsidised", "count", of="headcount"),
            Measure("monthly", "yuan", of="subsidised"),
            Measure("yearly", "yuan", of="subsidised", statistic="sum"),
        ),
        "headcount",
        provenance_of(workers, changes),
        title="notebooks.bill_table",
    )


def cost_of_one_more(
    panel: pd.DataFrame, workers: pd.DataFrame, changes: pd.DataFrame, *, quarter: str | None = None
) -> Result | None:
    """What one more certified, or retained, community worker costs, by the county programme of other cities.

    The effect is that of the staggered programme (`policy.staggered`), among counties outside the yardstick's two
    cities; the cost is the subsidy that its counties pay. As `cost_effectiveness`.

    Parameters:
        panel: the contract's `district_panel`. workers, changes: of the whole province.

    Returns:
        Result by outcome: effect (points) with its interval, additional (workers), cost (yuan a year), cost_of_one
        (yuan) with Fieller's limits where they exist, limits ("bounded", "exclusive", "unbounded"). None where no
        county has adopted the programme, or pays no subsidy.
    """
    now = described_quarter(panel, quarter)
    outside = panel[[areas.city_of(code) not in YARDSTICK for code in panel["district"]]]
    adopted = outside["treated_from"].notna() & (outside["treated_from"] <= now)
    covered = workers[workers["district"].isin(outside.loc[adopted, "district"].unique())]
    paid = subsidy_bill(covered, changes, at=_last_day(now))["yearly"].sum() if len(covered) else 0.0
    if not paid:
        return None
    design = {"unit": "district", "period": "quarter", "treated_from": "treated_from"}
    effects = {name: policy.staggered(outside, outcome=name, **design) for name in PER_YEAR}
    headcount = len(employed(covered, changes, at=_last_day(now)))
    frame = cost_effectiveness(paid, effects, headcount=headcount)
    bounded = frame["bounded"]
    frame = frame.assign(
        **{f"effect_points{end}": 100 * frame[f"effect{end}"] for end in ("", "_low", "_high")},
        cost_of_one=frame["estimate"].where(frame["estimate"] > 0),
        cost_of_one_low=frame["low"].where(bounded & (frame["estimate"] > 0)),
        cost_of_one_high=frame["high"].where(bounded & (frame["estimate"] > 0)),
        limits=frame["kind"],
    )

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for outcome, limits in zip(frame["outcome"], frame["limits"], strict=True):
            cost, low, high = (
                shown.figure(name, outcome=outcome) for name in ("cost_of_one", "cost_of_one_low", "cost_of_one_high")
            )
            key = "negative" if cost.state == "missing" else limits
            what = shown.name("outcome", outcome)
            found.append((f"talent.cost_{key}", {"what": what, "cost": cost, "interval": (low, high)}))
        return found

    return Result(
        frame,
        ("outcome",),
        (
            Measure("effect_points", "number", digits=2, interval="given"),
            Measure("additional", "number", digits=0),
            Measure("cost", "yuan", of="headcount", statistic="sum"),
            Measure("cost_of_one", "number", digits=0, interval="given"),
            Measure("limits", "text"),
        ),
        "headcount",
        provenance_of(panel, workers, changes),
        title="notebooks.cost_table",
        sentence=said,
    )
