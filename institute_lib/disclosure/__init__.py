"""What may be shown of person-level data: the only maker of `SafeTable`, `SafeResult`, `SafeFigure`, `SafeSentence`.

`protect` takes a table of cells, `protect_result` a model, curve or path, `protect_figure` one number; `sentence`
writes words from figures; `exempt` and its kin pass what has no person behind it. `internal` marks a table that a
researcher may look at and that no brief shows.
"""

from institute_lib.disclosure.figures import (
    check_words,
    exempt_figure,
    exempt_sentence,
    plain_number,
    protect_figure,
    protect_sentence,
    sentence,
)
from institute_lib.disclosure.internal import InternalTable, internal
from institute_lib.disclosure.passed import exempt, recorded
from institute_lib.disclosure.protected import RECORDED, Figure, Protected, from_records, protected
from institute_lib.disclosure.regressions import is_regression, regression_result
from institute_lib.disclosure.results import protect_result
from institute_lib.disclosure.structure import TOTAL
from institute_lib.disclosure.tables import protect
from institute_lib.disclosure.types import SafeResult, SafeTable
from institute_lib.disclosure.values import SafeFigure, SafeSentence, derive

__all__ = [
    "RECORDED",
    "TOTAL",
    "Figure",
    "InternalTable",
    "Protected",
    "SafeFigure",
    "SafeResult",
    "SafeSentence",
    "SafeTable",
    "check_words",
    "derive",
    "exempt",
    "exempt_figure",
    "exempt_sentence",
    "from_records",
    "internal",
    "is_regression",
    "plain_number",
    "protect",
    "protect_figure",
    "protect_result",
    "protect_sentence",
    "protected",
    "recorded",
    "regression_result",
    "sentence",
]
