"""One treated unit: its effect, and what the units without the policy say about chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError, ParameterError, closest, nearest
from institute_lib.policy import placebos as ranks
from institute_lib.policy.conformal import by_period, conformal_test
from institute_lib.policy.panel import Panel, as_written, listed, names_of, read_panel
from institute_lib.policy.periods import plain
from institute_lib.policy.predictors import Predictor, read_predictors
from institute_lib.policy.results import BAD_FIT, LEVEL, DetectableEffect, PilotEffect
from institute_lib.policy.synthetic import METHODS, Fit, Method, fit_unit

POWER = 0.8
PAIRS = 2


@dataclass(frozen=True)
class Design:
    """Outcomes (units by periods) of the treated and the donors, and how many periods come before the start.

    predictors: by units, first the treated one and then the donors; None where outcomes alone are matched.
    """

    panel: Panel
    donor_units: tuple[Any, ...]
    treated: np.ndarray
    donors: np.ndarray
    n_pre: int
    predictors: np.ndarray | None
    warnings: tuple[str, ...]

    def traits(self, unit: int, pool: Sequence[int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Predictors of one unit and of a pool, by donors' positions; -1 is the treated unit."""
        if self.predictors is None:
            return None
        return self.predictors[:, unit + 1], self.predictors[:, [row + 1 for row in pool]]

    def fit(self, unit: int, pool: Sequence[int], method: str) -> Fit:
        """One unit against a pool, by donors' positions; -1 is the treated unit."""
        own = self.treated[0] if unit < 0 else self.donors[unit]
        return fit_unit(own, self.donors[list(pool)], self.n_pre, method=method, traits=self.traits(unit, pool))


def read_design(
    frame: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_units: list[Any],
    start: str | int,
    method: str,
    donors: Sequence[Any] | None,
    incomplete: str = "refuse",
    predictors: Sequence[Predictor] = (),
) -> Design:
    """The checked matrices of a design with one start."""
    for name, value, allowed in (("method", method, METHODS), ("incomplete", incomplete, ("refuse", "drop"))):
        if value not in allowed:
            raise ParameterError(f"{name} {value!r}: {nearest(value, allowed)}")
    if predictors and method != "synthetic_control":
        raise ParameterError(f"predictors: only method='synthetic_control' matches on them, not {method!r}")
    if not treated_units:
        raise ParameterError("treated_units: name at least one unit")
    columns = {"outcome": outcome, "unit": unit, "period": period}
    treated, pool = _who(read_panel(frame, **columns), treated_units, unit, donors)
    part = frame[frame[unit].isin([*treated, *pool])]
    chosen = read_panel(part, **columns)
    n_pre = _periods_before(chosen, start)
    pool, warnings = _complete(chosen, treated, pool, incomplete)
    grid, place = chosen.wide(), {name: row for row, name in enumerate(chosen.units)}
    own, others = (grid[[place[one] for one in units]] for units in (treated, pool))
    if (others == others[0, 0]).all():  # placebos could not show what chance does
        raise EstimationError(
            f"{outcome} is {others[0, 0]:g} in all periods of all {len(pool)} donors ({listed(pool)}): a constant "
            "outcome shows nothing of what chance does; choose another outcome or other donors"
        )
    traits = None
    if predictors:
        found = read_predictors(part, chosen, predictors, unit=unit, period=period, n_pre=n_pre)
        traits = found[:, [place[one] for one in (*treated, *pool)]]
    return Design(chosen, tuple(pool), own, others, n_pre, traits, (*chosen.warnings, *warnings))


def _who(
    panel: Panel, treated_units: list[Any], unit: str, donors: Sequence[Any] | None
) -> tuple[list[Any], list[Any]]:
    """The treated units and the donors, as the panel writes them."""
    known = set(panel.units)
    for one in treated_units:
        if not pd.api.types.is_scalar(one):
            raise ParameterError(f"treated unit {plain(one)}: one code or name is needed, as column {unit!r} holds it")
    treated = list(dict.fromkeys(as_written(one, panel.units) for one in treated_units))
    for one in treated:
        if one not in known:
            close = closest(one, [str(unit) for unit in panel.units])
            hint = f"did you mean {close!r}? " if close else ""
            raise EstimationError(f"treated unit {plain(one)} is not in the panel: {hint}units: {listed(panel.units)}")
    allowed = known if donors is None else {as_written(one, panel.units) for one in names_of(donors)}
    if allowed - known:
        raise EstimationError(f"donors not in the panel: {listed(allowed - known)}; units: {listed(panel.units)}")
    both = [one for one in treated if donors is not None and one in allowed]
    if both:
        raise EstimationError(f"{listed(both)} cannot be both treated and a donor")
    pool = [one for one in panel.units if one in allowed and one not in treated]
    if not pool:
        raise EstimationError(f"no donors: {listed(treated)} has nothing to be compared with")
    return treated, pool


def _periods_before(panel: Panel, start: str | int) -> int:
    """How many periods come before the start, if the panel reaches far enough on both sides of it."""
    at, first, last = panel.calendar.ordinal(start, name="start"), panel.label(0), panel.label(-1)
    if not panel.ordinals[0] <= at <= panel.ordinals[-1]:
        raise EstimationError(f"start {plain(start)} lies outside the panel, which runs from {first} to {last}")
    before = int((panel.ordinals < at).sum())
    if before == 0:
        raise EstimationError(f"treated from the first period of the panel ({first}): no period to compare with")
    if before < 2:
        raise EstimationError(
            f"only one period before {plain(start)} ({first}): at least two are needed, to see how well the comparison "
            "fits"
        )
    return before


def _complete(panel: Panel, treated: list[Any], pool: list[Any], incomplete: str) -> tuple[list[Any], tuple[str, ...]]:
    """The donors observed in every period, or an error that names who lacks which."""
    holes, holed = panel.gaps(pool), panel.gaps(treated)
    if holed:
        raise EstimationError(
            f"the treated unit has gaps: {listed(holed)}; fill them in, or drop these periods for all"
        )
    if not holes:
        return pool, ()
    if incomplete == "refuse":
        raise EstimationError(
            f"the panel has gaps: {listed(holes)}; drop the period, name other donors, or pass incomplete='drop' to "
            "leave out incomplete donors"
        )
    whole = dict(zip(panel.units, panel.present.all(axis=1), strict=True))
    kept = [one for one in pool if whole[one]]
    if not kept:
        raise EstimationError(f"no donors: all {len(pool)} have gaps, the first {listed(holes, 1)}")
    return kept, (f"{len(holes)} of {len(pool)} donors left out because they have gaps: {listed(holes)}",)


def pilot(
    panel: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_unit: Any,
    start: str | int,
    method: Method = "synthetic_did",
    donors: Sequence[Any] | None = None,
    incomplete: str = "refuse",
    predictors: Sequence[Predictor] = (),
    seed: int = 0,
) -> PilotEffect:
    """The effect of a policy on the one unit that has it.

    Args:
        panel: one row a unit and period; periods are quarters ("2024Q4") or whole numbers. Drop a partly treated
            period before the call.
        start: first treated period.
        method: synthetic difference-in-differences, synthetic control on outcomes, or the plain difference.
        donors: units to compare with; None: every other unit of the panel. Leave out units with a policy of their own.
        incomplete: "refuse" a panel with gaps, or "drop" the donors that have them, with a warning.
        predictors: for synthetic control, columns to match on: a name (its mean before the start) or a name with
            periods, ("cigsale", [1975, 1980, 1988]); none matches on all outcomes before the start. Conformal tests and
            starts moved back match on outcomes in any case.
        seed: kept for a common signature; nothing here is random.

    Raises:
        ParameterError: unknown column, method or choice. DataError: rows that break a panel's rules. EstimationError:
            a treated unit or donors that are not there, gaps, a start outside the panel, fewer than two pre-periods.

    Sources: Arkhangelsky et al. (2021) for synthetic DiD and the placebo standard error (algorithm 4); Abadie, Diamond
    and Hainmueller (2010) for placebo ranks; Ferman and Pinto (2019) on why each is scaled by its unit's noise, as the
    module `placebos` says; Chernozhukov, Wüthrich and Zhu (2021) for conformal intervals.
    """
    columns = {"outcome": outcome, "unit": unit, "period": period, "start": start, "donors": donors}
    options = {"method": method, "incomplete": incomplete, "predictors": predictors}
    design = read_design(panel, treated_units=[treated_unit], **columns, **options)
    found = judge(design, method)
    lasting = conformal_test(design.treated[0], design.donors, design.n_pre, found.own.att, method=method)
    return PilotEffect(
        method=method,
        outcome=outcome,
        treated_unit=treated_unit,
        start=design.panel.label(design.n_pre),
        se=float(found.effects.std()) if len(found.donors) else float("nan"),
        raw_p_value=ranks.rank_p(found.own.att, found.effects),
        pre_rmspe=found.own.pre_rmspe,
        **headline(found),
        **_tables(design, found, method),
        conformal_p=lasting.p_value,
        conformal_ci=lasting.ci,
        n_donors=len(design.donors),
        n_pre=design.n_pre,
        n_post=design.donors.shape[1] - design.n_pre,
        warnings=(*design.warnings, *_warnings(found)),
    )


def detectable_effect(
    panel: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    treated_units: Sequence[Any],
    start: str | int,
    power: float = POWER,
    alpha: float = LEVEL,
    method: Method = "synthetic_did",
    donors: Sequence[Any] | None = None,
    incomplete: str = "refuse",
    draws: int = 2000,
    seed: int = 0,
) -> DetectableEffect:
    """The smallest effect that the placebo test would find with the power asked for, before looking at the effect.

    The donors' placebos are what chance does; outcomes of the treated units after the start are not used. With several
    treated units their average is judged against averages of as many donors, drawn `draws` times with `seed`.

    incomplete: as in `pilot`.

    Raises: as `pilot`; ParameterError for a power or alpha outside 0 to 1.

    Source: the placebo distribution of Abadie, Diamond and Hainmueller (2010), read for power as Bloom (1995) reads a
    standard error.
    """
    for name, value in (("power", power), ("alpha", alpha)):
        if not (isinstance(value, Real) and 0 < value < 1):
            raise ParameterError(f"{name} {value!r}: a share between 0 and 1 is needed")
    columns = {"outcome": outcome, "unit": unit, "period": period, "start": start, "donors": donors}
    treated = names_of(treated_units)
    design = read_design(panel, treated_units=treated, **columns, method=method, incomplete=incomplete)
    own = [fit_unit(row, design.donors, design.n_pre, method=method) for row in design.treated]
    found = ranks.Placebos(own[0], placebo_fits(design.donors, design.n_pre, method))
    scale = float(np.sqrt(np.mean(found.scale_of(np.array([one.pre_rmspe for one in own])) ** 2)))
    statistics = ranks.averages(found.statistics, len(own), draws, seed)
    effect = ranks.detectable(scale, statistics, alpha=alpha, power=power)
    top = 2 * effect if 0 < effect < np.inf else 4 * scale * float(np.abs(statistics).max(initial=1.0))
    grid = np.linspace(0, top, 41)
    curve = [ranks.power_at(one, scale, statistics, alpha) for one in grid]
    return DetectableEffect(
        effect=effect,
        power=power,
        alpha=alpha,
        n_treated=len(own),
        n_donors=len(design.donors),
        smallest_p=ranks.smallest_p(len(statistics)),
        curve=pd.DataFrame({"effect": grid, "power": curve}),
        warnings=(*design.warnings, *_warnings(found)),
    )


def judge(design: Design, method: str) -> ranks.Placebos:
    """The treated unit's estimate among its donors' placebos."""
    everyone = range(len(design.donors))
    own = design.fit(-1, everyone, method)
    if design.predictors is None or len(everyone) < PAIRS:
        return ranks.Placebos(own, placebo_fits(design.donors, design.n_pre, method))
    return ranks.Placebos(
        own, tuple(design.fit(one, [row for row in everyone if row != one], method) for one in everyone)
    )


def placebo_fits(donors: np.ndarray, n_pre: int, method: str) -> tuple[Fit, ...]:
    """Each donor as if it were treated, against the others; none where there is no other."""
    rows = range(len(donors)) if len(donors) >= PAIRS else ()
    return tuple(fit_unit(donors[row], np.delete(donors, row, axis=0), n_pre, method=method) for row in rows)


def headline(found: ranks.Placebos) -> dict[str, Any]:
    """The estimate, what the placebos say of it, and what the design could have found."""
    own, scale, statistics = found.own, found.scale, found.statistics
    return {
        "att": own.att,
        "ci": ranks.interval(own.att, scale, statistics, LEVEL),
        "p_value": ranks.rank_p(own.att / scale, statistics),
        "smallest_p": ranks.smallest_p(len(statistics)),
        "detectable": ranks.detectable(scale, statistics, alpha=LEVEL, power=POWER),
        "statistic": own.att / scale,
    }


def _warnings(found: ranks.Placebos) -> tuple[str, ...]:
    notes, errors = [], found.errors
    smallest, named = ranks.smallest_p(len(errors)), f"{max(len(errors), 1)} donor{'s' * (len(errors) > 1)}"
    if smallest > LEVEL:
        notes.append(
            f"{named}: the smallest p that a placebo rank can reach is {smallest:.3f}, so no effect can be told from "
            "chance at 5 % and the 95 % set is unbounded"
        )
    if len(errors) and found.motionless:
        notes.append(
            f"the {named} follow one another exactly, before the start and after: their placebos show nothing of what "
            "chance does, p is a bare rank and the interval has no width; were their outcomes computed from one series?"
        )
    elif len(errors) and found.own.pre_rmspe > BAD_FIT * np.median(errors):
        notes.append(
            f"the treated unit's pre-period error ({found.own.pre_rmspe:.3g}) is more than twice the donors' median "
            f"({np.median(errors):.3g}): the comparison fits it badly"
        )
    return tuple(notes)


def _tables(design: Design, found: ranks.Placebos, method: str) -> dict[str, pd.DataFrame]:
    """All tables of a PilotEffect, by name."""
    own, periods, n_pre, observed = found.own, design.panel.labels, design.n_pre, design.treated[0]
    units = np.array(design.donor_units, dtype=object)
    placed = units[: len(found.donors)]
    weights = pd.DataFrame({"unit": units, "weight": own.unit_weights})
    path = {"period": periods, "observed": observed, "counterfactual": observed - own.gap, "gap": own.gap}
    study = {"relative_period": np.arange(len(periods)) - n_pre, "period": periods, "estimate": own.gap}
    gaps = np.array([one.gap for one in found.donors]).reshape(len(placed), len(periods))
    scaled = gaps / found.scales[:, None]
    bounds = [ranks.interval(gap, found.scale, scaled[:, place], LEVEL) for place, gap in enumerate(own.gap)]
    later = by_period(observed, design.donors, n_pre, own.gap[n_pre:], method=method)
    conformal = {"period": periods[n_pre:], "estimate": own.gap[n_pre:]} | _bounds([one.ci for one in later])
    placebos = {"unit": placed, "att": found.effects, "pre_rmspe": found.errors, "statistic": found.statistics}
    paths = {"unit": np.repeat(placed, len(periods)), "period": periods * len(placed), "gap": gaps.ravel()}
    return {
        "weights": weights.sort_values("weight", ascending=False, kind="stable", ignore_index=True),
        "time_weights": pd.DataFrame({"period": periods[:n_pre], "weight": own.time_weights}),
        "path": pd.DataFrame(path),
        "event_study": pd.DataFrame(study | _bounds(bounds)),
        "placebos": pd.DataFrame(placebos),
        "placebo_paths": pd.DataFrame(paths),
        "leave_one_out": _leave_one_out(design, own, method),
        "in_time": _in_time(design, method),
        "conformal": pd.DataFrame(conformal | {"p_value": [one.p_value for one in later]}),
    }


def _bounds(intervals: list[tuple[float, float]]) -> dict[str, list[float]]:
    return {"ci_low": [low for low, _ in intervals], "ci_high": [high for _, high in intervals]}


def _leave_one_out(design: Design, own: Fit, method: str) -> pd.DataFrame:
    """The estimate without each donor that carries weight."""
    everyone = range(len(design.donors))
    rows = [row for row in np.flatnonzero(own.unit_weights > 0) if len(everyone) >= PAIRS]
    fits = [design.fit(-1, [one for one in everyone if one != row], method) for row in rows]
    units = {"unit": [design.donor_units[row] for row in rows], "weight": own.unit_weights[rows]}
    return pd.DataFrame(units | _estimates(fits))


def _in_time(design: Design, method: str) -> pd.DataFrame:
    """The start moved back into the pre-periods: an effect before the policy began would speak against the design."""
    treated, donors = design.treated[0, : design.n_pre], design.donors[:, : design.n_pre]
    starts = range(max(2, design.n_pre // 2), design.n_pre)
    fits = [fit_unit(treated, donors, at, method=method) for at in starts]
    return pd.DataFrame({"start": [design.panel.label(at) for at in starts]} | _estimates(fits))


def _estimates(fits: Sequence[Fit]) -> dict[str, list[float]]:
    return {"att": [one.att for one in fits], "pre_rmspe": [one.pre_rmspe for one in fits]}
