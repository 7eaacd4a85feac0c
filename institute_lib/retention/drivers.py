"""What a model is told to look at: driver names and terms, and which of them the data can speak about.

A term is `caseload` (a number enters as it is, a text, category or truth value by its levels), `C(year)` (a number by
its levels), `experience**2`, `certificate:caseload` (interaction) or `certificate*caseload` (both and their
interaction). A mapping `{"certificate": ("none", "assistant")}` declares levels, the first one the reference.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.errors import ParameterError
from institute_lib.retention.spells import require_columns

Drivers = str | Iterable[str] | Mapping[str, Sequence[str] | None]


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


def parse(drivers: Drivers) -> Formula:
    """Read drivers into terms.

    Raises:
        ParameterError: nothing named, a term that cannot be read, or an interaction without its parts.
    """
    names = [drivers] if isinstance(drivers, str) else list(drivers)
    if not names:
        raise ParameterError("drivers: name at least one column")
    declared = {}
    if isinstance(drivers, Mapping):
        declared = {_atom(key)[0]: tuple(map(str, levels)) for key, levels in drivers.items() if levels is not None}
    by_level = {match for name in names for match in re.findall(r"C\(([^()]+)\)", str(name))} | set(declared)
    found: dict[str, Term] = {}
    for name in names:
        for term in _expand(str(name)):
            found.setdefault(term.name, term)
    for term in found.values():
        if len(term.atoms) > 1:
            parts = [name for name, power in term.atoms if (name if power == 1 else f"{name}**{power}") not in found]
            if parts:
                raise ParameterError(
                    f"drivers: the interaction {term.name!r} stands without {parts[0]!r}; "
                    f"write {'*'.join(term.drivers)!r}, or add {parts[0]!r}"
                )
    return Formula(tuple(found.values()), declared, frozenset(by_level))


def _expand(text: str) -> list[Term]:
    factors = re.split(r"(?<!\*)\*(?!\*)", text)
    if len(factors) == 1:
        return [_term(text)]
    mains = [_term(factor) for factor in factors]
    products = []
    for mask in range(1, 2 ** len(mains)):
        atoms = [atom for i, term in enumerate(mains) if mask >> i & 1 for atom in term.atoms]
        products.append(Term(tuple(atoms)))
    return sorted(products, key=lambda term: len(term.atoms))


def _term(text: str) -> Term:
    atoms = tuple(_atom(part) for part in text.split(":"))
    if len({name for name, _ in atoms}) < len(atoms):
        raise ParameterError(f"drivers: {text!r} names a driver twice; a square is written {atoms[0][0]}**2")
    return Term(atoms)


def _atom(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"\s*(?:C\((?P<level>[^()]+)\)|(?P<name>[^*:()]+?))\s*(?:\*\*\s*(?P<power>[1-9]))?\s*", text)
    if not match:
        raise ParameterError(f"drivers: cannot read {text!r}; write name, C(name), name**2, a:b or a*b")
    return (match["level"] or match["name"]).strip(), int(match["power"] or 1)


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
    nobody leaves or nobody stays, or is decided exactly by a driver kept before it.

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
    wider = data if within is None else within
    require_columns(data, [event, *drivers], table="data")
    require_columns(wider, [event, *drivers], table="within")
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
    words = {"driver": driver_word(driver, language), "value": driver_word(values.iloc[0], language)}
    return terms.text("retention.driver_constant", language, **words)


def _why_not(data: pd.DataFrame, event: str, driver: str, kept: list[str], language: str) -> str | None:
    values = data[driver]
    missing = int(values.isna().sum())
    if missing:
        return terms.text("retention.driver_missing", language, driver=driver_word(driver, language))
    if is_number(values):
        return None
    by_level = data.groupby(driver, observed=True)[event].agg(["size", "sum"])
    one_sided = by_level[(by_level["sum"] == 0) | (by_level["sum"] == by_level["size"])]
    if len(one_sided):
        return terms.text(
            "retention.driver_separated",
            language,
            driver=driver_word(driver, language),
            level=driver_word(one_sided.index[0], language),
        )
    code, _ = pd.factorize(values)
    for earlier in kept:
        other, names = pd.factorize(data[earlier])
        pairs = np.bincount(other * (code.max() + 1) + code)
        if np.count_nonzero(pairs) == len(names):
            return terms.text(
                "retention.driver_decided",
                language,
                driver=driver_word(driver, language),
                other=driver_word(earlier, language),
            )
    return None


def driver_word(name: object, language: str) -> str:
    """A driver or level in the reader's words, as far as the catalogue of labels knows it."""
    return terms.label(str(name), language) if str(name) in terms.catalogue("labels") else str(name)


def is_number(values: pd.Series) -> bool:
    """Whether a column enters a model as a number: numeric, and neither truth values nor a category."""
    return bool(pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values))


def level_order(levels: Iterable[str]) -> list[str]:
    """Levels in order: by value where all are numbers, else by name."""
    names = [str(level) for level in levels]
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names)


def as_levels(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Codes and level names of a column read by its levels: a category keeps its order; codes are −1 where missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = values.cat.codes.to_numpy()
        used = np.bincount(codes + 1, minlength=len(values.cat.categories) + 1)[1:] > 0
        place = np.append(np.cumsum(used) - 1, -1)
        names = [level_name(value) for value in values.cat.categories[used]]
        return (codes if used.all() else place[codes]), names
    codes, uniques = pd.factorize(values)
    names = [level_name(value) for value in uniques]
    ordered = level_order(names)
    place = np.array([ordered.index(name) for name in names] + [-1], dtype=np.int64)
    return place[codes], ordered


def level_name(value: object) -> str:
    """How a level is written: truth values as Parquet writes them, whole numbers without a decimal point."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
