"""A panel that can be estimated on, or an error that names the units and periods that stand in the way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from institute_lib.errors import DataError, EstimationError, Fault, ParameterError, nearest
from institute_lib.policy.periods import Calendar, calendar_of

SHOWN = 6
SMALLEST, LARGEST = 1e-100, 1e100  # beyond, squares leave the range of floating point


@dataclass(frozen=True)
class Panel:
    """Rows with unit, period (an integer), outcome and the further columns asked for, sorted by unit and period.

    `units` holds the units as the caller wrote them; column `unit` their positions in it.
    """

    rows: pd.DataFrame
    units: tuple[Any, ...]
    calendar: Calendar
    warnings: tuple[str, ...]

    @property
    def periods(self) -> np.ndarray:
        """The observed periods, ascending, as integers."""
        return np.unique(self.rows["period"].to_numpy())

    def wide(self, column: str = "outcome") -> np.ndarray:
        """Units by periods, NaN where a unit is not observed."""
        grid = np.full((len(self.units), len(self.periods)), np.nan)
        place = np.searchsorted(self.periods, self.rows["period"].to_numpy())
        grid[self.rows["unit"].to_numpy(), place] = self.rows[column].to_numpy(float)
        return grid

    def gaps(self) -> list[str]:
        """Units with the periods they lack, in words."""
        return self.gaps_of(self.units)

    def gaps_of(self, units: Sequence[Any]) -> list[str]:
        """Those of some units."""
        missing, periods, wanted = np.isnan(self.wide()), self.periods, set(units)
        return [
            f"{self.units[row]} ({listed(self.calendar.labels(periods[missing[row]]))})"
            for row in np.flatnonzero(missing.any(axis=1))
            if self.units[row] in wanted
        ]


def listed(values: Iterable[Any], shown: int = SHOWN) -> str:
    """A few values, then how many more there are."""
    values = list(values)
    more = f" and {len(values) - shown} more" if len(values) > shown else ""
    return ", ".join(str(value) for value in values[:shown]) + more


def names_of(several: Sequence[Any] | Any) -> list[Any]:
    """Columns' names, or units; a single one may be given alone."""
    return [several] if pd.api.types.is_scalar(several) else list(several)


def as_written(one: Any, units: Sequence[Any]) -> Any:
    """The unit as the panel writes it: a code given as text is found among codes that are numbers, and the reverse."""
    if one in set(units):
        return one
    found = [unit for unit in units if str(unit) == str(one)]
    return found[0] if len(found) == 1 else one


def read_panel(
    frame: pd.DataFrame,
    *,
    outcome: str,
    unit: str,
    period: str,
    required: Sequence[str] = (),
    kept: Sequence[str] = (),
    repeated: bool = False,
) -> Panel:
    """The rows of `frame` that can be used, checked.

    Args:
        required: further columns in which a missing value drops the row, with a warning that counts it.
        kept: further columns taken along as they are.
        repeated: several rows may share a unit and period (repeated cross-sections).

    Raises:
        ParameterError: a column is not there. DataError: unit or period missing, an outcome that is no finite number,
            duplicate unit-periods. EstimationError: nothing left, or an outcome that never varies.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError(f"panel: a DataFrame is needed, not {type(frame).__name__}")
    columns = {"outcome": outcome, "unit": unit, "period": period}
    refuse_shared_roles(columns)
    for name in (*columns.values(), *required, *kept):
        refuse_no_single_column(frame, name, "panel")
    if frame.empty:
        raise EstimationError("the panel has no rows")
    _refuse_missing_keys(frame, unit, period)
    _refuse_compound_units(frame[unit], unit)
    calendar = calendar_of(frame[period], name=period)
    rows = pd.DataFrame(
        {"unit": frame[unit].array, "period": calendar.ordinals(frame[period], name=period).astype(int)},
    )
    rows["outcome"] = _numbers(frame[outcome], outcome)
    for name in (*required, *kept):
        rows[f"x:{name}"] = frame[name].array
    rows, warnings = _without_missing(rows, outcome, required)
    if not repeated:
        _refuse_duplicates(rows, calendar, unit, period)
    if rows["outcome"].max() == rows["outcome"].min():
        raise EstimationError(
            f"{outcome} is {rows['outcome'].iloc[0]:g} in all {len(rows)} rows: without variation there is no effect "
            "to estimate"
        )
    if not repeated:
        _refuse_seen_once(rows, unit)
    units = sorted(rows["unit"].unique().tolist(), key=lambda one: (str(type(one)), one))
    rows["unit"] = rows["unit"].map({one: place for place, one in enumerate(units)}).astype(int)
    rows = rows.sort_values(["unit", "period"], kind="stable", ignore_index=True)
    return Panel(rows, tuple(units), calendar, (*warnings, *_unobserved_periods(rows, calendar)))


def refuse_shared_roles(columns: dict[str, str]) -> None:
    """Raise if one column is named for two things, which only a slip of the pen can mean."""
    for one, other in combinations(columns, 2):
        if columns[one] == columns[other]:
            raise ParameterError(f"panel: {columns[one]!r} is named as {one} and as {other}; name two columns")


def refuse_no_single_column(frame: pd.DataFrame, name: str, place: str) -> None:
    """Raise if the table does not hold this column, or holds several of the name."""
    if name not in frame:
        raise ParameterError(f"{place}: column {name!r}: {nearest(name, frame.columns)}")
    if isinstance(frame[name], pd.DataFrame):
        raise ParameterError(f"{place}: {frame[name].shape[1]} columns are called {name!r}; keep one of them")


def _unobserved_periods(rows: pd.DataFrame, calendar: Calendar) -> tuple[str, ...]:
    """A warning that names the periods between the first and the last in which nobody is observed."""
    seen = np.unique(rows["period"].to_numpy())
    absent = np.setdiff1d(np.arange(seen[0], seen[-1] + 1), seen)
    return (f"no unit is observed in {listed(calendar.labels(absent))}",) if len(absent) else ()


def _refuse_missing_keys(frame: pd.DataFrame, unit: str, period: str) -> None:
    faults = tuple(
        Fault("panel", row, column, None, "a unit and a period are needed in every row", "fill it in or drop the row")
        for column in (unit, period)
        for row in frame.index[frame[column].isna()]
    )
    if faults:
        raise DataError(f"panel: {len(faults)} rows without {unit} or {period}", faults)


def _refuse_compound_units(values: pd.Series, name: str) -> None:
    """A unit is one code or name; tables of units could not hold pairs or lists."""
    if values.dtype != object:
        return
    compound = [kind for kind in set(map(type, values)) if issubclass(kind, tuple | list | dict | set)]
    if compound:
        first = next(one for one in values if isinstance(one, compound[0]))
        raise DataError(f"{name}: {first!r} is a {compound[0].__name__}, not one code or name; join its parts to text")


def _numbers(values: pd.Series, name: str) -> np.ndarray:
    """The outcome as finite numbers of a size that can be squared."""
    kind = values.dtype
    if pd.api.types.is_complex_dtype(kind) or getattr(kind, "kind", "") in "mM" or isinstance(kind, pd.PeriodDtype):
        raise DataError(f"{name}: values of type {kind} are not numbers that can be averaged")
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
    wrong = (np.isnan(numbers) & values.notna().to_numpy()) | np.isinf(numbers)
    if wrong.any():
        first = values[wrong].tolist()[0]
        raise DataError(f"{name}: {int(wrong.sum())} values are not finite numbers, the first {first!r}")
    largest = np.abs(numbers).max(initial=0.0, where=~np.isnan(numbers))
    if largest and not SMALLEST <= largest <= LARGEST:
        raise DataError(f"{name}: its largest value is {largest:g}; state it in units in which that is nearer to one")
    return numbers


def covariate(values: pd.Series, name: str) -> np.ndarray:
    """A covariate as finite numbers.

    Raises:
        DataError: it holds something else, or numbers too large or too small to be squared.
    """
    if not pd.api.types.is_numeric_dtype(values) and pd.to_numeric(values, errors="coerce").isna().any():
        raise DataError(f"{name}: covariates must be numbers; write a category as 0/1 columns")
    return _numbers(values, name)


def _without_missing(rows: pd.DataFrame, outcome: str, required: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The complete rows, and a warning that counts the missing values by column."""
    columns = {"outcome": outcome} | {f"x:{name}": name for name in required}
    missing = rows[list(columns)].isna()
    counts = missing.sum()
    if not counts.any():
        return rows, ()
    dropped = missing.any(axis=1)
    if dropped.all():
        raise EstimationError(f"every row lacks {listed(columns[name] for name in counts.index[counts > 0])}")
    by_column = ", ".join(f"{columns[name]} {count}" for name, count in counts.items() if count)
    return rows[~dropped], (f"{int(dropped.sum())} of {len(rows)} rows dropped for missing values: {by_column}",)


def _refuse_duplicates(rows: pd.DataFrame, calendar: Calendar, unit: str, period: str) -> None:
    repeated = rows[rows.duplicated(["unit", "period"], keep=False)]
    pairs = repeated[["unit", "period"]].drop_duplicates()
    if pairs.empty:
        return
    faults = tuple(
        Fault(
            "panel",
            None,
            f"{unit}, {period}",
            f"{one}, {calendar.label(when)}",
            "a unit has one row a period",
            "keep one row, or aggregate first",
        )
        for one, when in pairs.itertuples(index=False)
    )
    raise DataError(f"panel: {len(pairs)} unit-periods have more than one row", faults)


def _refuse_seen_once(rows: pd.DataFrame, unit: str) -> None:
    """Raise if a panel of several periods follows nobody from one to another: repeated cross-sections."""
    if rows["period"].nunique() > 1 and not rows["unit"].duplicated().any():
        raise EstimationError(
            f"no {unit} is observed in more than one period, so nothing shows how one changed; of different persons in "
            "each period, average the outcome by area and period first, or use policy.two_way with unit=area and "
            "repeated=True"
        )


def constant_by_unit(panel: Panel, name: str, *, meaning: str) -> pd.Series:
    """A column's one value for each unit, by unit position.

    Raises:
        DataError: a unit has several values; it and its periods are named.
    """
    groups = panel.rows.groupby("unit")[f"x:{name}"]
    several = groups.nunique(dropna=False) > 1
    if several.any():
        units = [panel.units[place] for place in several.index[several]]
        raise DataError(f"{name} changes within {listed(units)}: {meaning}")
    return groups.first().reindex(range(len(panel.units)))
