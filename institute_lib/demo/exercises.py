"""Exercises on the demo registers: an answer is held against the planted truth, which stays hidden."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import terms
from institute_lib.demo.files import truth
from institute_lib.errors import ParameterError, nearest
from institute_lib.results import Result

WIDEST = 0.25  # an interval of a share wider than that says nothing


@dataclass(frozen=True)
class Verdict(Result):
    """What became of an answer. `state`: "right", "wrong" or "open" (nothing answered yet)."""

    exercise: str
    state: str
    warnings: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return self.state == "right"

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame([{"exercise": self.exercise, "state": self.state}])

    def summary(self, language: str = "zh") -> str:
        """Right; not yet, with a hint; or what is asked for."""
        said = terms.text(f"demo.answer_{self.state}", language)
        if self.right:
            return said
        key = "asked" if self.state == "open" else "hint"
        return said + terms.text(f"demo.{self.exercise}_{key}", language)


def check(exercise: str, answer: Any, *, folder: Path | str | None = None) -> Verdict:
    """Whether an answer is the planted truth of the demo registers.

    Args:
        exercise: a name of `EXERCISES`.
        answer: as the exercise asks for it; None or empty for not yet.
        folder: of the demo registers; None for the project's own.

    Raises:
        ParameterError: no such exercise, or an answer of another shape.
        DataError: no demo registers are there.
    """
    if exercise not in EXERCISES:
        raise ParameterError(f"exercise {exercise!r}: {nearest(exercise, EXERCISES)}")
    if answer is None or (hasattr(answer, "__len__") and not len(answer)):
        return Verdict(exercise, "open")
    return Verdict(exercise, "right" if EXERCISES[exercise](answer, truth(folder)) else "wrong")


def _mapping(answer: Any, wanted: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    if not isinstance(answer, Mapping) or set(answer) != set(keys):
        raise ParameterError(f"answer {answer!r}: write a dict with {', '.join(keys)}")
    return all(str(answer[key]) == str(wanted[key]) for key in keys)


def _interval(answer: Any) -> tuple[float, float]:
    if not isinstance(answer, list | tuple) or len(answer) != 2 or not all(isinstance(one, Real) for one in answer):
        raise ParameterError(f"answer {answer!r}: write two numbers, (low, high)")
    return float(answer[0]), float(answer[1])


def _late(answer: Any, planted: Mapping[str, Any]) -> bool:
    return _mapping(answer, planted["not_reported"], ("district", "quarter"))


def _signal(answer: Any, planted: Mapping[str, Any]) -> bool:
    return _mapping(answer, planted["service_signal"], ("district", "field", "quarter"))


def _subject(answer: Any, planted: Mapping[str, Any]) -> bool:
    return _mapping(answer, planted["weak_subject"], ("district", "subject"))


def _passes(answer: Any, planted: Mapping[str, Any]) -> bool:
    inferred = planted["inferred"]["nantong_passes_2023"]
    return _interval(answer) == (inferred["low"], inferred["high"])


def _effect(answer: Any, planted: Mapping[str, Any]) -> bool:
    low, high = _interval(answer)
    wanted = {"group": "chongchuan", "outcome": "certified_share"}
    effect = next(row["att"] for row in planted["att"] if wanted.items() <= row.items())
    return low <= effect <= high and high - low <= WIDEST


def _drivers(answer: Any, planted: Mapping[str, Any]) -> bool:
    if isinstance(answer, str) or not all(isinstance(one, str) for one in answer):
        raise ParameterError(f"answer {answer!r}: write a list of column names")
    return set(answer) == set(planted["hazard"]["no_effect"])


EXERCISES: dict[str, Callable[[Any, Mapping[str, Any]], bool]] = {
    "late_district": _late,
    "service_signal": _signal,
    "passes_before": _passes,
    "pilot_effect": _effect,
    "null_drivers": _drivers,
    "weak_subject": _subject,
}
