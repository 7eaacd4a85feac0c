"""How a hazard model does on quarters it has not seen: does it rank, and does it mean what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError
from institute_lib.retention.drivers import JOINED, as_levels, is_number, level_name, merge_thin, usable_drivers
from institute_lib.retention.hazard import HazardModel, hazard
from institute_lib.retention.intervals import wilson
from institute_lib.retention.spells import faults_where, plain, require_columns

BINS = 10
LEAVERS_A_BIN = 20


@dataclass(frozen=True)
class Judgement:
    """auc: the chance that a leaver was given a higher hazard than a stayer. intercept and slope: of the recalibration
    logit(p) = intercept + slope · logit(predicted); 0 and 1 if calibrated, missing where no finite line fits. brier:
    mean squared error.
    `calibration`: bin, rows, expected, observed, ci_low, ci_high by tenths of predicted hazard, or
    fewer groups where a tenth would hold under 20 leavers (Wilson's intervals).
    """

    auc: float
    intercept: float
    slope: float
    brier: float
    expected: float
    observed: float
    calibration: pd.DataFrame
    n_rows: int
    n_events: int
    warnings: tuple[str, ...] = ()


def judge(model: HazardModel, data: pd.DataFrame) -> Judgement:
    """Compare a model's hazards with what happened in rows that it was not fitted on.

    Parameters:
        model: fitted on earlier quarters. data: later person-quarters, with the model's drivers and event.

    Returns:
        Judgement.

    Raises:
        DataError: unknown levels, missing values, or rows without leavers or without stayers.

    Source: Steyerberg, Clinical Prediction Models (2019), chapter 15.
    """
    data = plain(data)
    require_columns(data, [model.event], table="data")
    wrong = ~data[model.event].isin([0, 1])
    if wrong.any():
        faults = faults_where(data, wrong, model.event, "the event is 0 or 1", table="data")
        raise DataError(f"data: {len(faults)} of {len(data)} rows cannot be judged", tuple(faults))
    y = data[model.event].to_numpy(dtype=float)
    if len(y) == 0 or y.min() == y.max():
        raise DataError(f"the {len(y)} rows hold no leavers or no stayers; judge the model on more quarters")
    p = model.predict(data)
    intercept, slope = _recalibrate(p, y)
    unfit = "no finite line calibrates these hazards: leavers and stayers are told apart without overlap, or nearly so"
    return Judgement(
        auc=_auc(p, y),
        intercept=intercept,
        slope=slope,
        brier=float(np.mean((p - y) ** 2)),
        expected=float(p.sum()),
        observed=float(y.sum()),
        calibration=_calibration(p, y),
        n_rows=len(y),
        n_events=int(y.sum()),
        warnings=() if np.isfinite(slope) else (unfit,),
    )


def out_of_time(
    data: pd.DataFrame, *, event: str, drivers: Sequence[str], quarter: str = "quarter", last: int = 4
) -> Judgement:
    """Train to `last` quarters before the end, and judge on those quarters.

    Parameters:
        data: person-quarters; quarter: the column that orders them ("2024Q4").
        drivers: plain column names. Those that the earlier quarters cannot speak about (constant, a level with nobody
            leaving, or levels that only came later) are left out, which the warnings say.

    Raises:
        DataError: too few quarters, or as `judge`. As `hazard` otherwise.
    """
    require_columns(data, [quarter, event, *drivers], table="data")
    quarters = sorted(data[quarter].unique())
    if len(quarters) <= last:
        raise DataError(f"judging on the last {last} quarters needs earlier ones; the rows hold {len(quarters)} in all")
    late = data[quarter].isin(quarters[-last:])
    train, test = data[~late], data[late]
    train, merged = merge_thin(train, event=event, drivers=drivers, least=1, language="en")
    test = test.assign(**{name: _joined(test[name], train[name]) for name in merged})
    kept, reasons = usable_drivers(train, event=event, drivers=drivers, language="en")
    new = {name: set(as_levels(test[name])[1]) - set(as_levels(train[name])[1]) for name in kept}
    new = {name: levels for name, levels in new.items() if levels and not is_number(train[name])}
    if not set(kept) - set(new):
        raise DataError("the earlier quarters can speak about none of the drivers; judge the model on more quarters")
    model = hazard(train, event=event, drivers=[name for name in kept if name not in new])
    notes = [
        f"{name} is left out: {sorted(levels)[0]!r} first occurs in the last quarters" for name, levels in new.items()
    ]
    return replace(judge(model, test), warnings=(*merged.values(), *reasons.values(), *notes))


def _joined(values: pd.Series, merged: pd.Series) -> pd.Series:
    """Later rows under the levels that earlier ones were merged into."""
    place = {part: title for title in merged.cat.categories for part in title.split(JOINED)}
    return values.map(lambda level: place.get(level_name(level), level_name(level))).astype("str")


def _auc(p: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(p)
    gone = y == 1
    return float((ranks[gone].sum() - gone.sum() * (gone.sum() + 1) / 2) / (gone.sum() * (~gone).sum()))


def _recalibrate(p: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the events on the logit of the predictions; missing where the fit runs off."""
    from scipy.special import logit

    x = logit(np.clip(p, 1e-12, 1 - 1e-12))
    if np.ptp(x) < 1e-9:
        return float(logit(y.mean()) - x[0]), 1.0
    try:
        line = hazard(pd.DataFrame({"x": x, "y": y}), event="y", drivers=["x"])
    except EstimationError:
        return float("nan"), float("nan")
    return float(line.fit.beta[0]), float(line.fit.beta[1])


def _calibration(p: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    bins = int(np.clip(y.sum() // LEAVERS_A_BIN, 2, BINS))
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    frame = pd.DataFrame({"bin": np.searchsorted(edges, p, side="left"), "p": p, "y": y})
    table = frame.groupby("bin").agg(rows=("y", "size"), expected=("p", "mean"), observed=("y", "mean"), k=("y", "sum"))
    low, high = wilson(table["k"], table["rows"])
    return table.drop(columns="k").assign(ci_low=low, ci_high=high).reset_index()
