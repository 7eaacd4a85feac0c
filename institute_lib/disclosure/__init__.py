"""What may be shown of persons: `protected` makes the view of a result that charts, tables, maps and sentences take.

Threshold ten, counts in fives, everything else computed from what was rounded (`rules`). `sentence` writes words from
protected figures; `internal` marks a table that a researcher may look at and that no brief shows.
"""

from institute_lib.disclosure.figures import Figure, SafeSentence, check_words, sentence
from institute_lib.disclosure.internal import InternalTable, internal
from institute_lib.disclosure.regressions import is_regression, regression_result
from institute_lib.disclosure.rules import protected
from institute_lib.disclosure.show import TABLE_MIME
from institute_lib.disclosure.totals import TOTAL
from institute_lib.disclosure.view import RECORDED, Protected, from_records

__all__ = [
    "RECORDED",
    "TABLE_MIME",
    "TOTAL",
    "Figure",
    "InternalTable",
    "Protected",
    "SafeSentence",
    "check_words",
    "from_records",
    "internal",
    "is_regression",
    "protected",
    "regression_result",
    "sentence",
]
