"""A panel that can be estimated on, or an error that names the units and periods that stand in the way.

Time is counted in observed periods: a quarter that was dropped for all, waves every other year, or codes such as 20231
leave no hole between the last period before a start and the first one after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, EstimationError, Fault, ParameterError, nearest
from institute_lib.policy.periods import Calendar, calendar_of, plain

SHOWN = 6
CODED = 10_000
SMALLEST, LARGEST = 1e-100, 1e100  # beyond, squares leave the range of floating point


@dataclass(frozen=True)
class Panel:
    """Rows with unit, period, outcome and the further columns asked for (called "x:…"), sorted by unit and period.

    rows: column `unit` holds positions in `units`, which are as the caller wrote them; column `period` positions in
    `ordinals`, the observed periods as the calendar counts them.
    """

    rows: pd.DataFrame
    units: tuple[Any, ...]
    ordinals: np.ndarray
    calendar: Calendar
    warnings: tuple[str, ...]

    @property
    def labels(self) -> list[str | int]:
        """The observed periods as the panel writes them, ascending."""
        return self.calendar.labels(self.ordinals)

    def label(self, period: float) -> str | int:
        return self.calendar.label(self.ordinals[int(period)])

    @property
    def unit(self) -> np.ndarray:
        return self.rows["unit"].to_numpy()

    @property
    def period(self) -> np.ndarray:
        return self.rows["period"].to_numpy()

    @property
    def present(self) -> np.ndarray:
        """Units by periods: who is observed when."""
        seen = np.zeros((len(self.units), len(self.ordinals)), bool)
        seen[self.unit, self.period] = True
        return seen

    def wide(self, column: str = "outcome") -> np.ndarray:
        """Units by periods, NaN where a unit is not observed."""
        grid = np.full((len(self.units), len(self.ordinals)), np.nan)
        grid[self.unit, self.period] = self.rows[column].to_numpy(float)
        return grid

    def gaps(self, units: Sequence[Any] | None = None) -> list[str]:
        """Units (of these) with the periods they lack, in words."""
        missing, labels = ~self.present, np.array(self.labels, object)
        wanted = set(self.units if units is None else units)
        return [
            f"{self.units[row]} ({listed(labels[missing[row]])})"
            for row in np.flatnonzero(missing.any(axis=1))
            if self.units[row] in wanted
        ]

    def named(self, chosen: np.ndarray) -> str:
        """Some units, chosen by a mask or by positions, in words."""
        return listed(self.units[one] for one in (np.flatnonzero(chosen) if chosen.dtype == bool else chosen))

    def only(self, kept: np.ndarray, *warnings: str) -> tuple["Panel", np.ndarray]:
        """The panel of some of its rows, and which units are left; further warnings are added."""
        units, places = np.unique(self.unit[kept], return_inverse=True)
        periods, when = np.unique(self.period[kept], return_inverse=True)
        rows = self.rows[kept].assign(unit=places, period=when).reset_index(drop=True)
        names = tuple(self.units[one] for one in units)
        return Panel(rows, names, self.ordinals[periods], self.calendar, (*self.warnings, *warnings)), units


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
    roles = {"outcome": outcome, "unit": unit, "period": period}
    for one, other in combinations(roles, 2):
        if roles[one] == roles[other]:
            raise ParameterError(f"panel: {roles[one]!r} is named as {one} and as {other}; name two columns")
    for name in (*roles.values(), *required, *kept):
        refuse_no_single_column(frame, name, "panel")
    if frame.empty:
        raise EstimationError("the panel has no rows")
    _refuse_keys(frame, unit, period)
    calendar = calendar_of(frame[period], name=period)
    rows = pd.DataFrame({"unit": frame[unit].array, "period": calendar.ordinals(frame[period], name=period)})
    rows["outcome"] = numbers_of(frame[outcome], outcome)
    further = {f"x:{name}": frame[name].array for name in (*required, *kept)}
    rows = pd.concat([rows, pd.DataFrame(further, index=rows.index)], axis=1)
    rows, warnings = _without_missing(rows, outcome, required)
    if not repeated:
        _refuse_repeated(rows, calendar, unit, period)
    if rows["outcome"].max() == rows["outcome"].min():
        raise EstimationError(
            f"{outcome} is {rows['outcome'].iloc[0]:g} in all {len(rows)} rows: without variation there is no effect "
            "to estimate"
        )
    units = sorted(rows["unit"].unique().tolist(), key=lambda one: (str(type(one)), one))
    ordinals, places = np.unique(rows["period"].to_numpy(), return_inverse=True)
    codes = rows["unit"].map({one: place for place, one in enumerate(units)}).astype(int)
    rows = rows.assign(unit=codes, period=places).sort_values(["unit", "period"], kind="stable", ignore_index=True)
    return Panel(rows, tuple(units), ordinals, calendar, (*warnings, *_holes(ordinals, calendar)))


def refuse_no_single_column(frame: pd.DataFrame, name: str, place: str) -> None:
    """Raise if the table does not hold this column, or holds several of the name."""
    if name not in frame:
        raise ParameterError(f"{place}: column {name!r}: {nearest(name, frame.columns)}")
    if isinstance(frame[name], pd.DataFrame):
        raise ParameterError(f"{place}: {frame[name].shape[1]} columns are called {name!r}; keep one of them")


def _holes(ordinals: np.ndarray, calendar: Calendar) -> tuple[str, ...]:
    """A warning that names the periods between the first and the last in which nobody is observed.

    Waves that are evenly apart have no holes, and large numbers are codes, of which nobody knows which are left out.
    """
    steps = np.diff(ordinals)
    step = steps.min(initial=np.inf)
    many = int((steps // step - 1).sum())
    if not many or (ordinals[-1] >= CODED and not calendar.quarterly and not calendar.base):
        return ()
    absent = [
        ordinals[at] + step * one
        for at in np.flatnonzero(steps >= 2 * step)[:SHOWN]
        for one in range(1, min(int(steps[at] // step), SHOWN + 1))
    ]
    more = f" and {many - SHOWN} more" if many > SHOWN else ""
    named = ", ".join(str(calendar.label(one)) for one in absent[:SHOWN])
    return (f"no unit is observed in {named}{more}: time is counted in observed periods",)


def _refuse_keys(frame: pd.DataFrame, unit: str, period: str) -> None:
    """Raise if a unit or period is missing, or a unit is a pair or a list, which tables of units could not hold."""
    faults = tuple(
        Fault("panel", row, column, None, "a unit and a period are needed in every row", "fill it in or drop the row")
        for column in (unit, period)
        for row in frame.index[frame[column].isna()]
    )
    if faults:
        raise DataError(f"panel: {len(faults)} rows without {unit} or {period}", faults)
    compound = [one for one in frame[unit] if isinstance(one, tuple | list | dict | set)]
    if compound:
        kind = type(compound[0]).__name__
        raise DataError(f"{unit}: {compound[0]!r} is a {kind}, not one code or name; join its parts to text")


def numbers_of(values: pd.Series, name: str) -> np.ndarray:
    """A column as finite numbers of a size that can be squared, NaN where missing.

    Raises:
        DataError: it holds something else.
    """
    kind = values.dtype
    dates = pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind)
    if dates or pd.api.types.is_complex_dtype(kind) or isinstance(kind, pd.PeriodDtype):
        raise DataError(f"{name}: values of type {kind} are not numbers that can be averaged")
    numbers = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(float, na_value=np.nan)
    wrong = (np.isnan(numbers) & values.notna().to_numpy()) | np.isinf(numbers)
    if wrong.any():
        first = plain(values[wrong].tolist()[0])
        raise terms.error(DataError, "policy.error_not_numbers", name=name, count=int(wrong.sum()), first=first)
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
    return numbers_of(values, name)


def positive_weights(values: pd.Series, name: str) -> np.ndarray:
    """Weights as numbers, the largest one.

    Raises:
        DataError: one of them is not positive, or not finite.
    """
    weights = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(float)
    wrong = ~((weights > 0) & np.isfinite(weights))
    if wrong.any():
        raise DataError(f"{name}: weights must be positive numbers, one is {plain(values[wrong].tolist()[0])}")
    return weights / weights.max()


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


def _refuse_repeated(rows: pd.DataFrame, calendar: Calendar, unit: str, period: str) -> None:
    """Raise if a unit has several rows in a period, or if nobody is followed from one period to another."""
    pairs = rows.loc[rows.duplicated(["unit", "period"]), ["unit", "period"]].drop_duplicates()
    rule, remedy = "a unit has one row a period", "keep one row, or aggregate first"
    faults = tuple(
        Fault("panel", None, f"{unit}, {period}", f"{one}, {calendar.label(when)}", rule, remedy)
        for one, when in pairs.itertuples(index=False)
    )
    if faults:
        raise DataError(f"panel: {len(pairs)} unit-periods have more than one row", faults)
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
        raise DataError(f"{name} changes within {panel.named(several.to_numpy())}: {meaning}")
    return groups.first().reindex(range(len(panel.units)))


def read_adoption(frame: pd.DataFrame, *, treated_from: str, further: Sequence[str | None], **columns: str):
    """The checked panel and each unit's first treated period as a position among the observed ones, infinite if never.

    Raises:
        DataError, EstimationError: as `policy.staggered`.
    """
    data = read_panel(frame, **columns, required=[name for name in further if name], kept=[treated_from])
    written = constant_by_unit(
        data, treated_from, meaning="treatment that switches off or changes its date cannot be evaluated here"
    )
    ordinals = _dated(data, written, treated_from)
    start = np.searchsorted(data.ordinals, ordinals).astype(float)
    start[ordinals > data.ordinals[-1]] = np.inf
    early = start == 0
    if early.any():
        at_zero = data.ordinals[0] == 0 and not data.calendar.quarterly
        raise EstimationError(
            f"treated from the first period of the panel ({data.label(0)}): {data.named(early)}; nothing shows how "
            f"they were before, leave them out{f'; if 0 was to say never, {_how(treated_from)}' if at_zero else ''}"
        )
    refuse_nobody_treated(data, np.isfinite(start), treated_from)
    if start[np.isfinite(start)].max() < 2:
        raise EstimationError(f"fewer than two periods before every start: the panel begins in {data.label(0)}")
    return data, start


def refuse_nobody_treated(data: Panel, treated: np.ndarray, name: str) -> None:
    """Raise if nobody starts within the panel."""
    if not treated.any():
        raise EstimationError(
            f"{name}: no unit is treated within the panel, which runs from {data.label(0)} to {data.label(-1)}"
        )


def _dated(data: Panel, written: pd.Series, name: str) -> np.ndarray:
    """Each unit's start as the calendar counts, infinite if never; 0 is never where it is no period of the panel.

    Raises:
        DataError: no period of this calendar; or 0, where 0 is a later period of the panel and no unit is marked as
            never treated in another way, so that nobody can tell which of the two it means.
    """
    if data.calendar.quarterly:  # the numbers 0 and infinity can only say never
        written = written.astype(object).mask(written.map(lambda one: isinstance(one, Number) and one in (0, np.inf)))
    try:
        start = data.calendar.ordinals(written, name=name)
    except DataError as wrong:
        raise DataError(f"{wrong}; {_how(name)}") from wrong
    start = np.where(np.isnan(start), np.inf, start)
    zero = (start == 0) & (not data.calendar.quarterly)
    if not data.ordinals[0] <= 0 <= data.ordinals[-1]:
        return np.where(zero, np.inf, start)
    if zero.any() and data.ordinals[0] < 0 and not np.isinf(start).any():
        raise DataError(
            f"{name} is 0 for {data.named(zero)}, and 0 is also a period of the panel: treated from then, or never? "
            f"{_how(name)}"
        )
    return start


def _how(name: str) -> str:
    return f"leave {name} missing for units that are never treated"


def refuse_no_control(data: Panel, start: np.ndarray, control: str) -> None:
    """Raise if nobody is left to compare with."""
    never = np.isinf(start).sum()
    if control == "never_treated" and not never:
        raise EstimationError("no donors: every unit is treated sooner or later; pass control='not_yet_treated'")
    if not never and len(np.unique(start)) == 1:
        raise EstimationError(f"no donors: every unit starts in {data.label(start[0])}, nobody is left to compare with")
