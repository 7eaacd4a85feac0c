"""Taking figures and sentences into a result: where persons stand behind them, protected ones only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from institute_lib.disclosure import SafeFigure, SafeSentence, check_words, plain_number
from institute_lib.errors import DisclosureError, ParameterError, nearest

HEADLINE_KEYS = ("text", "text_zh", "text_en", "value", "unit", "change")
NUMERIC = ("value", "change")
LONGEST_TEXT = 2000


def protection(numbers: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """How each protected figure among the numbers was protected: status, reason, unit."""
    return {
        str(name): {"status": figure.status, "reason": figure.reason, "unit": figure.unit}
        for name, figure in numbers.items()
        if isinstance(figure, SafeFigure)
    }


@dataclass(frozen=True)
class Taking:
    """Takes numbers and sentences into a result; `judged`: such alone as disclosure control made."""

    judged: bool

    def headline(self, given: str | Mapping[str, Any]) -> dict[str, Any]:
        """
        Raises:
            ParameterError: a key that a headline does not have.
        """
        given = {"text": given} if isinstance(given, str) else given
        for name in given:
            if name not in HEADLINE_KEYS:
                raise ParameterError(f"record: headline has no {name!r}: {nearest(name, HEADLINE_KEYS)}")
        return {
            name: (self.number if name in NUMERIC else self.text)(value, f"headline[{name!r}]")
            for name, value in given.items()
        }

    def finding(self, given: str | Mapping[str, Any]) -> dict[str, Any]:
        """A sentence, or one with the numbers in it."""
        given = {"text": given} if isinstance(given, str) else given
        return {
            str(name): (self.text if isinstance(value, str) else self.number)(value, f"findings[{name!r}]")
            for name, value in given.items()
        }

    def text(self, value: Any, place: str) -> str:
        """
        Raises:
            DisclosureError: no sentence; or one with a number that nobody judged.
        """
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise DisclosureError(f"record: {place} must be a sentence, not a {type(value).__name__}")
        if self.judged and not isinstance(value, SafeSentence):
            check_words(value, f"record: {place}")
        return str(value)

    def number(self, value: Any, place: str) -> float | int | None:
        """A plain JSON number; what is not finite, missing or hidden becomes None, which readers see as a dash.

        Raises:
            DisclosureError: no number; or one that nobody judged.
        """
        if isinstance(value, SafeFigure):
            return value.value
        number = plain_number(value, f"record: {place}")
        if self.judged and number is not None:
            raise DisclosureError(
                f"record: {place} is {number!r}, a number that nobody judged, in a study of persons; take it from a "
                "protected table with safe_table.figure(…), or pass disclosure.protect_figure(value, n=persons) or, "
                "where no person stands behind it, disclosure.exempt_figure(value, reason=…, source=…)"
            )
        return number
