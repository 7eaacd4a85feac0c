"""One treated unit: its effect, and what the units without the policy say about chance."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import EstimationError, ParameterError
from institute_lib.policy import placebos as ranks
from institute_lib.policy.conformal import conformal_test
from institute_lib.policy.design import Design, read_design
from institute_lib.policy.panel import names_of
from institute_lib.policy.pilot_tables import PAIRS, tables_of
from institute_lib.policy.predictors import Predictor
from institute_lib.policy.results import LEVEL, DetectableEffect, PilotEffect
from institute_lib.policy.synthetic import Fit, Method, fit_unit

POOR_FIT = 2.0
POWER = 0.8


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
    design = read_design(
        panel,
        outcome=outcome,
        unit=unit,
        period=period,
        treated_units=[treated_unit],
        start=start,
        method=method,
        donors=donors,
        incomplete=incomplete,
        predictors=predictors,
    )
    found = judge(design, method)
    lasting = conformal_test(design.treated[0], design.donors, design.n_pre, found.own.att, method=method)
    return PilotEffect(
        method=method,
        outcome=outcome,
        treated_unit=treated_unit,
        start=design.panel.calendar.label(design.start),
        se=float(found.effects.std()) if len(found.donors) else float("nan"),
        raw_p_value=ranks.rank_p(found.own.att, found.effects),
        pre_rmspe=found.own.pre_rmspe,
        **headline(found),
        **tables_of(design, found, method),
        conformal_p=lasting.p_value,
        conformal_ci=lasting.ci,
        n_donors=len(design.donors),
        n_pre=design.n_pre,
        n_post=design.donors.shape[1] - design.n_pre,
        warnings=(*design.panel.warnings, *design.warnings, *_warnings(found)),
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
    design = read_design(
        panel,
        outcome=outcome,
        unit=unit,
        period=period,
        treated_units=names_of(treated_units),
        start=start,
        method=method,
        donors=donors,
        incomplete=incomplete,
    )
    own = [fit_unit(row, design.donors, design.n_pre, method=method) for row in design.treated]
    found = ranks.Placebos(own[0], placebo_fits(design.donors, design.n_pre, method))
    scale = float(np.sqrt(np.mean(found.scale_of(np.array([one.pre_rmspe for one in own])) ** 2)))
    statistics = _averages(found.statistics, len(own), draws, seed)
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
        warnings=(*design.panel.warnings, *design.warnings, *_warnings(found)),
    )


def judge(design: Design, method: str) -> ranks.Placebos:
    """The treated unit's estimate among its donors' placebos."""
    everyone = range(len(design.donors))
    traits = design.traits(-1, everyone)
    own = fit_unit(design.treated[0], design.donors, design.n_pre, method=method, traits=traits)
    if traits is None or len(everyone) < PAIRS:
        return ranks.Placebos(own, placebo_fits(design.donors, design.n_pre, method))
    others = [[row for row in everyone if row != one] for one in everyone]
    fits = [
        fit_unit(design.donors[one], design.donors[pool], design.n_pre, method=method, traits=design.traits(one, pool))
        for one, pool in zip(everyone, others, strict=True)
    ]
    return ranks.Placebos(own, tuple(fits))


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


def placebo_fits(donors: np.ndarray, n_pre: int, method: str) -> tuple[Fit, ...]:
    """Each donor as if it were treated, against the others; none where there is no other."""
    if len(donors) < PAIRS:
        return ()
    rows = range(len(donors))
    return tuple(fit_unit(donors[row], np.delete(donors, row, axis=0), n_pre, method=method) for row in rows)


def _averages(statistics: np.ndarray, size: int, draws: int, seed: int) -> np.ndarray:
    """The donors' statistics, or averages of `size` different ones."""
    if size == 1:
        return statistics
    if size > len(statistics):
        raise EstimationError(f"{size} treated units against {len(statistics)} donors: too few to draw placebos from")
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(statistics, size, replace=False).mean() for _ in range(draws)])


def _warnings(found: ranks.Placebos) -> tuple[str, ...]:
    notes = []
    n_donors = max(len(found.donors), 1)
    if ranks.smallest_p(len(found.donors)) > LEVEL:
        notes.append(
            f"{'1 donor' if n_donors == 1 else f'{n_donors} donors'}: the smallest p that a placebo rank can reach is "
            f"{ranks.smallest_p(len(found.donors)):.3f}, so no effect can be told from chance at 5 % and the 95 % set "
            "is unbounded"
        )
    errors = found.errors
    if len(errors) and found.motionless:
        notes.append(
            f"the {n_donors} donors follow one another exactly, before the start and after: their placebos show "
            "nothing of what chance does, p is a bare rank and the interval has no width; were their outcomes "
            "computed from one series?"
        )
    elif len(errors) and found.own.pre_rmspe > POOR_FIT * np.median(errors):
        notes.append(
            f"the treated unit's pre-period error ({found.own.pre_rmspe:.3g}) is more than twice the donors' median "
            f"({np.median(errors):.3g}): the comparison fits it badly"
        )
    return tuple(notes)
