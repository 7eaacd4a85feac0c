"""What a model is told to look at: driver names and terms, their levels, and which of them the data can speak about.

A term is `caseload` (a number enters as it is, a text, category or truth value by its levels), `C(year)` (a number by
its levels), `experience**2`, `certificate:caseload` (interaction) or `certificate*caseload` (both and their
interaction); a column whose own name holds such signs, `月薪(元)`, is taken by that name. A mapping
`{"certificate": ("none", "assistant")}` declares levels, the first one the reference. Undeclared levels stand in the
order of their category, of the tables' contract, or of their values.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError
from institute_lib.retention.spells import plain, require_columns
from institute_lib.tables import contracts

Drivers = str | Iterable[str] | Mapping[str, Sequence[str] | None]

# The levels of the registers' own columns, in the contract's order; the first is the reference.
CATEGORIES = {
    "kind": contracts.KINDS,
    "field": contracts.FIELDS,
    "gender": contracts.GENDERS,
    "education": contracts.EDUCATIONS,
    "contract": contracts.EMPLOYMENT_CONTRACTS,
    "certificate": contracts.CERTIFICATES,
    "level": contracts.STATION_LEVELS,
    "leave_reason": contracts.LEAVE_REASONS,
}
RISING = ("education", "certificate", "level")  # of these, levels next to each other are neighbours
UNKNOWN = "unknown"  # how a missing value is named in the contracts and by `band`
JOINED = " + "
FEW_EVENTS = 10
ALIASED = 1e-9


@dataclass(frozen=True)
class Term:
    """A product of drivers raised to powers: (("experience", 2),)."""

    atoms: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        return ":".join(name if power == 1 else f"{name}**{power}" for name, power in self.atoms)

    @property
    def drivers(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.atoms)


@dataclass(frozen=True)
class Formula:
    """The terms of a model, the levels that the caller declared, and the numbers that enter by level."""

    terms: tuple[Term, ...]
    declared: dict[str, tuple[str, ...]]
    by_level: frozenset[str]

    @property
    def drivers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for term in self.terms for name in term.drivers))


def parse(drivers: Drivers, columns: Iterable[str] = ()) -> Formula:
    """Read drivers into terms; `columns` are the names that the data have.

    Raises:
        ParameterError: nothing named, a term that cannot be read, or an interaction without its parts.
    """
    names = [drivers] if isinstance(drivers, str) else list(drivers)
    if not names:
        raise ParameterError("drivers: name at least one column")
    odd = sorted((str(one) for one in columns if re.search(r"[*:()]", str(one))), key=len, reverse=True)
    declared, by_level, found = {}, set(), {}
    for name in names:
        text = str(name)
        for at, column in enumerate(odd):  # a name that holds signs of the notation is one word of it
            text = text.replace(column, f"\0{at}\0")
        for term, levelled in _expand(text, odd):
            found.setdefault(term.name, term)
            by_level |= levelled
        if isinstance(drivers, Mapping) and drivers[name] is not None:
            declared[_atom(text, odd)[0]] = tuple(map(str, drivers[name]))
    for term in found.values():
        parts = [name if power == 1 else f"{name}**{power}" for name, power in term.atoms]
        missing = [name for name in parts if name not in found] if len(parts) > 1 else []
        if missing:
            raise ParameterError(
                f"drivers: the interaction {term.name!r} stands without {missing[0]!r}; "
                f"write {'*'.join(term.drivers)!r}, or add {missing[0]!r}"
            )
    return Formula(tuple(found.values()), declared, frozenset(by_level | set(declared)))


def _expand(text: str, odd: Sequence[str]) -> list[tuple[Term, set[str]]]:
    """`a*b` into a, b and a:b; with each term the numbers that it takes by level."""
    mains = [_term(factor, odd) for factor in re.split(r"(?<!\*)\*(?!\*)", text)]
    products = []
    for mask in range(1, 2 ** len(mains)):
        chosen = [main for at, main in enumerate(mains) if mask >> at & 1]
        atoms = tuple(atom for term, _ in chosen for atom in term.atoms)
        products.append((Term(atoms), set().union(*(levelled for _, levelled in chosen))))
    return sorted(products, key=lambda one: len(one[0].atoms))


def _term(text: str, odd: Sequence[str]) -> tuple[Term, set[str]]:
    atoms = [_atom(part, odd) for part in text.split(":")]
    if len({name for name, _, _ in atoms}) < len(atoms):
        raise ParameterError(f"drivers: {text!r} names a driver twice; a square is written {atoms[0][0]}**2")
    return Term(tuple((name, power) for name, power, _ in atoms)), {name for name, _, levelled in atoms if levelled}


def _atom(text: str, odd: Sequence[str]) -> tuple[str, int, bool]:
    pattern = r"\s*(?:C\((?P<level>[^()]+)\)|(?P<name>[^*:()]+?))\s*(?:\*\*\s*(?P<power>[1-9]))?\s*"
    match = re.fullmatch(pattern, text)
    if not match:
        raise ParameterError(f"drivers: cannot read {text!r}; write name, C(name), name**2, a:b or a*b")
    name = re.sub(r"\0(\d+)\0", lambda place: odd[int(place[1])], (match["level"] or match["name"]).strip())
    return name, int(match["power"] or 1), match["level"] is not None


def is_number(values: pd.Series) -> bool:
    """Whether a column enters a model as a number: numeric, and neither truth values nor a category."""
    return bool(pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))


def level_name(value: object) -> str:
    """How a level is written: truth values as Parquet writes them, whole numbers without a decimal point."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating, Decimal)) and value == value // 1:
        return str(int(value))
    return str(value)


def ordered_levels(name: str, levels: Iterable[object]) -> list[str]:
    """Levels' names: in the contract's order where it has them all, by value where all are numbers, else by name."""
    names = list(dict.fromkeys(map(level_name, levels)))
    contract = CATEGORIES.get(name, ())
    if set(names) <= set(contract):
        return [level for level in contract if level in names]
    try:
        return sorted(names, key=lambda one: int(one) if re.fullmatch(r"-?\d+", one) else float(one))
    except ValueError:
        return sorted(names)


def as_levels(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Codes and level names of a column read by its levels: a category keeps its order; codes are −1 where missing."""
    category = isinstance(values.dtype, pd.CategoricalDtype)
    codes, uniques = (values.cat.codes.to_numpy(), values.cat.categories) if category else pd.factorize(values)
    used = np.bincount(codes + 1, minlength=len(uniques) + 1)[1:] > 0
    found = [level_name(value) for value in uniques[used]]
    names = found if category else ordered_levels(str(values.name), found)
    place = np.full(len(uniques) + 1, -1)
    place[np.flatnonzero(used)] = [names.index(level) for level in found]
    return place[codes], names


def usable_drivers(
    data: pd.DataFrame,
    *,
    event: str,
    drivers: Sequence[str],
    within: pd.DataFrame | None = None,
    language: str = "zh",
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The drivers that a model of these rows can speak about, and why each other one is left out.

    A driver is left out when it is missing somewhere, does not vary (no subsidy in this area yet), has a level at which
    nobody leaves or nobody stays (`merge_thin` mends that), or cannot be told apart from drivers kept before it.

    Parameters:
        data: rows; event: 0/1 column; drivers: plain column names, in order of importance.
        within: the wider rows (of the city) that a pooled model leans on: levels, gaps and ties are then judged there,
            and of `data` only whether a driver varies.
        language: of the reasons.

    Returns:
        the drivers kept, in order, and driver → reason for the others, to be printed.

    Raises:
        ParameterError: unknown column.
    """
    require_columns(data, [event, *drivers], table="data")
    require_columns(data if within is None else within, [event, *drivers], table="within")
    data = _as_categories(data, event, drivers)
    wider = data if within is None else _as_categories(within, event, drivers)
    kept: list[str] = []
    reasons: dict[str, str] = {}
    for driver in drivers:
        reason = _constant(data, driver, language) or _why_not(wider, event, driver, kept, language)
        if reason:
            reasons[driver] = reason
        else:
            kept.append(driver)
    return tuple(kept), reasons


def _constant(data: pd.DataFrame, driver: str, language: str) -> str | None:
    values = data[driver]
    if values.isna().any() or values.nunique() != 1:
        return None
    value = level_label(driver, level_name(values.iloc[0]), language)
    words = {"driver": driver_word(driver, language), "value": value}
    return terms.text("retention.driver_constant", language, **words)


def _why_not(data: pd.DataFrame, event: str, driver: str, kept: list[str], language: str) -> str | None:
    values, word = data[driver], driver_word(driver, language)
    if values.isna().any():
        return terms.text("retention.driver_missing", language, driver=word)
    if not is_number(values):
        codes, names = as_levels(values)
        rows, events = np.bincount(codes), np.bincount(codes, weights=data[event].to_numpy(float))
        one_sided = np.flatnonzero((events == 0) | (events == rows))
        if len(one_sided):
            level = level_label(driver, names[one_sided[0]], language)
            return terms.text("retention.driver_separated", language, driver=word, level=level)
    others = aliased(data, [*kept, driver])
    if others is None:
        return None
    said = terms.listed((driver_word(one, language) for one in others), language)
    return terms.text("retention.driver_tied", language, driver=word, other=said)


def aliased(data: pd.DataFrame, drivers: Sequence[str]) -> tuple[str, ...] | None:
    """The drivers that fix some column of the last one, in either direction; None where it can be told apart."""
    gram, owner = _gram(data, drivers)
    for column in range(len(owner)):
        if owner[column] != drivers[-1]:
            continue
        weights = np.linalg.lstsq(gram[:column, :column], gram[:column, column], rcond=None)[0]
        if gram[column, column] - gram[column, :column] @ weights < ALIASED:
            deciding = dict.fromkeys(owner[at] for at in np.flatnonzero(np.abs(weights) > 1e-6))
            return tuple(name for name in deciding if name != drivers[-1]) or (drivers[-1],)
    return None


def _gram(data: pd.DataFrame, drivers: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Correlations of the drivers' columns over the combinations that occur, and whose column each is."""
    distinct = data[list(drivers)].drop_duplicates()
    columns, owner = [], []
    for name in drivers:
        values = distinct[name]
        if is_number(values):
            own = [values.to_numpy(float)]
        else:
            codes, names = as_levels(values)
            own = [(codes == level).astype(float) for level in range(1, len(names))]
        columns += own
        owner += [name] * len(own)
    matrix = np.column_stack(columns) if columns else np.zeros((len(distinct), 0))
    matrix = matrix - matrix.mean(axis=0)
    matrix = matrix / np.maximum(np.sqrt((matrix**2).sum(axis=0)), np.finfo(float).tiny)
    return matrix.T @ matrix, owner


def _as_categories(data: pd.DataFrame, event: str, drivers: Sequence[str]) -> pd.DataFrame:
    """The columns of a model alone, levels as categories, which are read many times faster than texts."""
    found = plain(data[list(dict.fromkeys([event, *drivers]))])
    texts = [name for name in drivers if not is_number(found[name])]
    return found.assign(**{name: pd.Categorical.from_codes(*as_levels(found[name])) for name in texts})


def merge_thin(
    data: pd.DataFrame, *, event: str, drivers: Sequence[str], least: int = FEW_EVENTS, language: str = "zh"
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Levels with too few leavers (or stayers) merged with a neighbour, so that no driver need be dropped for them.

    Parameters:
        data: rows; event: 0/1 column; drivers: columns, of which numbers stay as they are.
        least: the fewest leavers, and stayers, of a level.
        language: of the notes.

    Returns:
        data with merged levels ("30-40 + 40-50") as categories, and driver → what was merged, to be printed. In an
        ordered category (and in education, certificate and level of station) the neighbour is the level above or
        below with fewer leavers; else the next smallest level. `unknown`, beside no level, joins the largest.
    """
    require_columns(data, [event, *drivers], table="data")
    changed, notes = {}, {}
    for driver in drivers:
        values = data[driver]
        if is_number(values) or values.isna().any():
            continue
        codes, names = as_levels(values)
        gone = np.bincount(codes, weights=data[event].to_numpy(float), minlength=len(names))
        sizes = np.minimum(gone, np.bincount(codes, minlength=len(names)) - gone)
        ordered = bool(getattr(values.dtype, "ordered", False)) or driver in RISING
        groups = _merged(names, sizes, least, ordered=ordered)
        if len(groups) == len(names):
            continue
        titles = [JOINED.join(names[at] for at in group) for group in groups]
        place = np.empty(len(names), int)
        for at, group in enumerate(groups):
            place[list(group)] = at
        changed[driver] = pd.Categorical.from_codes(place[codes], titles, ordered=ordered)
        joined = ("；" if language == "zh" else "; ").join(
            level_label(driver, title, language) for title, group in zip(titles, groups, strict=True) if len(group) > 1
        )
        words = {"driver": driver_word(driver, language), "levels": joined, "least": least}
        notes[driver] = terms.text("retention.levels_merged", language, **words)
    return data.assign(**changed), notes


def _merged(names: list[str], sizes: np.ndarray, least: int, *, ordered: bool) -> list[tuple[int, ...]]:
    """Groups of levels, in order, each large enough as far as that is possible."""
    groups, weight = [(at,) for at in range(len(names))], list(map(float, sizes))
    while len(groups) > 1 and min(weight) < least:
        thin = int(np.argmin(weight))
        known = [at for at, group in enumerate(groups) if at != thin and names[group[0]] != UNKNOWN]
        others = known or [at for at in range(len(groups)) if at != thin]
        if names[groups[thin][0]] == UNKNOWN:
            other = max(others, key=lambda at: weight[at])
        elif ordered:
            other = min(others, key=lambda at: (abs(at - thin), weight[at]))
        else:
            other = min(others, key=lambda at: weight[at])
        low, high = sorted((thin, other))
        groups[low] = tuple(sorted((*groups[low], *groups[high])))
        weight[low] += weight[high]
        del groups[high], weight[high]
    return groups


def driver_word(name: object, language: str) -> str:
    """A driver or level in the reader's words, as far as the catalogue of labels knows it."""
    return terms.label(str(name), language) if str(name) in terms.catalogue("labels") else str(name)


def driver_label(term: str, level: str, language: str) -> str:
    """A coefficient in the reader's words: drivers as far as the catalogue knows them, levels as `level_label` says."""
    drivers = term.split(":")
    name = " × ".join(driver_word(part, language) for part in drivers)
    if not level:
        return name
    parts = level.split(":")
    if len(parts) != len(drivers):  # a level whose own name holds a colon
        return terms.text("charts.level", language, term=name, level=level)
    shown = " × ".join(level_label(*pair, language) for pair in zip(drivers, parts, strict=True))
    return terms.text("charts.level", language, term=name, level=shown)


def level_label(driver: str, level: str, language: str) -> str:
    """A level in the reader's words where it is one of the registers' own; any other is the user's, and stays."""
    if JOINED in level:
        return JOINED.join(level_label(driver, part, language) for part in level.split(JOINED))
    if level.lower() in ("true", "false"):
        return terms.text("disclosure.yes" if level.lower() == "true" else "disclosure.no", language)
    banded = driver.endswith("_band") and level in terms.catalogue("labels")
    return terms.label(level, language) if banded or level in CATEGORIES.get(driver, ()) else level
