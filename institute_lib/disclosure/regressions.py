"""A statsmodels regression as tables that disclosure control can judge: coefficients, and the rows behind each term."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.result import Measure, Provenance, Result

_LEVEL = re.compile(r"^(?P<term>.+?)\[(?:T\.)?(?P<level>.*)\]$")
INTERCEPTS = ("intercept", "Intercept", "const")


@dataclass(frozen=True)
class Regression:
    """Coefficients (term, level, estimate, se, ci_low, ci_high, p_value) and levels (term, level, rows, events).

    `events` repeats `rows`: a regression on pay has none. A term that is not a category is measured by the rows that
    differ from its most frequent value: a dummy, or a product of dummies, of one person has one.
    """

    coefficients: pd.DataFrame
    levels: pd.DataFrame
    outcome: str
    n_rows: int
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.coefficients.copy()

    def summary(self, language: str = "zh") -> str:
        shown = "、".join if language == "zh" else ", ".join
        names = dict.fromkeys(self.coefficients["term"])
        return terms.text(
            "disclosure.regression", language, rows=terms.number(self.n_rows, language), names=shown(names)
        )


def is_regression(result: Any) -> bool:
    model = getattr(result, "model", None)
    return hasattr(result, "params") and getattr(model, "exog", None) is not None and hasattr(model, "exog_names")


def read(result: Any) -> Regression:
    """The regression's coefficients with the smallest group behind every term, reference categories included."""
    names, matrix = list(result.model.exog_names), np.asarray(result.model.exog, float)
    parts = [_LEVEL.match(name) for name in names]
    term = [part["term"] if part else name for part, name in zip(parts, names, strict=True)]
    level = [part["level"] if part else "" for part in parts]
    interval = np.asarray(result.conf_int(), float)
    coefficients = pd.DataFrame(
        {
            "term": term,
            "level": level,
            "estimate": np.asarray(result.params, float),
            "se": np.asarray(result.bse, float),
            "ci_low": interval[:, 0],
            "ci_high": interval[:, 1],
            "p_value": np.asarray(result.pvalues, float),
        }
    )
    sizes = []
    for one in dict.fromkeys(name for name in term if name not in INTERCEPTS):
        columns = matrix[:, [i for i, name in enumerate(term) if name == one]]
        rows = [_smaller_side(column) for column in columns.T]
        listed = [text for name, text in zip(term, level, strict=True) if name == one]
        if listed != [""]:
            rows.append(int((columns == 0).all(axis=1).sum()))
            listed.append("reference")
        sizes += [(one, text, n, n) for text, n in zip(listed, rows, strict=True)]
    levels = pd.DataFrame(sizes, columns=["term", "level", "rows", "events"])
    return Regression(coefficients, levels, str(result.model.endog_names), len(matrix))


def regression_result(fitted: Any, provenance: Provenance) -> Result:
    """A fitted statsmodels regression as a result: every level with the distinct persons behind it, no intercept.

    Persons are told apart by the column worker_id or person_id of the model's data, else each row is one. Of a
    yes-or-no outcome, the rarer answer among a level's rows counts as its events.

    Raises:
        DisclosureError: the model has as many parameters as it has distinct rows.
    """
    frame = getattr(fitted.model.data, "frame", None)
    matrix = np.asarray(fitted.model.exog, float)
    outcome = np.asarray(fitted.model.endog, float)
    identity = np.arange(len(matrix))
    labels = None
    if frame is not None:
        column = next((one for one in ("worker_id", "person_id") if one in frame), None)
        labels = getattr(fitted.model.data, "row_labels", None)
        if column is not None:
            rows = frame.loc[labels] if labels is not None else frame
            identity = pd.factorize(rows[column])[0]
    names = list(fitted.model.exog_names)
    read_ = read(fitted)
    binary = set(np.unique(outcome)) <= {0.0, 1.0}
    sizes = []
    for column in matrix.T:
        values, counts = np.unique(column, return_counts=True)
        marked = column != values[counts.argmax()]
        persons = len(np.unique(identity[marked]))
        if len(values) == 2:
            persons = min(persons, len(np.unique(identity[~marked])))
        inside = outcome[marked]
        events = int(min(inside.sum(), len(inside) - inside.sum())) if binary else persons
        sizes.append((persons, events))
    sizes = [(n, min(events, most)) for (n, events), most in zip(sizes, _effective(matrix, identity), strict=True)]
    kept = [name not in INTERCEPTS for name in names]
    table = read_.coefficients.assign(persons=[one[0] for one in sizes], events=[one[1] for one in sizes])
    table = table[kept].rename(columns={"ci_low": "estimate_low", "ci_high": "estimate_high"})
    table = pd.concat([table, _references(table, frame, identity, labels)], ignore_index=True)
    people = len(np.unique(identity))
    distinct = len(np.unique(matrix, axis=0))
    residual = people - len(names) if distinct > len(names) else 0
    return Result(
        table,
        ("term", "level"),
        (Measure("estimate", "number", interval="given"), Measure("persons", "count")),
        "persons",
        provenance,
        title="disclosure.regression_title",
        chart="forest",
        events="events",
        residual=residual,
    )


def _effective(matrix: np.ndarray, identity: np.ndarray) -> list[float]:
    """For each coefficient the number of persons that it rests on, as if all weighed the same.

    A coefficient is a mean over the rows weighted by what is left of its column when the others are taken out (Frisch
    and Waugh 1933). Two overlapping groups that differ by one person leave that person alone. The number is the sum of
    the weights squared over the sum of squares (Kish 1965), no less than one.
    """
    found = []
    for place in range(matrix.shape[1]):
        others = np.delete(matrix, place, axis=1)
        left = matrix[:, place] - others @ np.linalg.lstsq(others, matrix[:, place], rcond=None)[0]
        weights = np.bincount(identity, weights=left**2)
        found.append(weights.sum() ** 2 / (weights**2).sum() if (weights > 1e-12).any() else 0.0)
    return found


def _references(table: pd.DataFrame, frame: pd.DataFrame | None, identity: np.ndarray, labels: Any) -> pd.DataFrame:
    """The category that each term is compared with: a row without an estimate."""
    rows = []
    for term, levels in table[table["level"] != ""].groupby("term", sort=False)["level"]:
        if frame is None or term not in frame:
            continue
        own = (frame if labels is None else frame.loc[labels])[term].astype(str)
        rest = set(own.unique()) - set(levels)
        if len(rest) == 1 and len(own) == len(identity):
            persons = len(np.unique(identity[(own == next(iter(rest))).to_numpy()]))
            rows.append({"term": term, "level": rest.pop(), "persons": persons, "events": persons})
    return pd.DataFrame(rows, columns=table.columns).astype(table.dtypes.to_dict() if rows else {})


def _smaller_side(column: np.ndarray) -> int:
    """Rows that differ from the most frequent value, or, of two values, those with the rarer one."""
    _, counts = np.unique(column, return_counts=True)
    return int(counts.min()) if len(counts) <= 2 else int(len(column) - counts.max())
