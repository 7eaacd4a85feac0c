"""What may be shown of person-level data: the only maker of `SafeTable` and `SafeResult`.

`protect` takes a table of cells, `protect_result` a model, curve or path; `exempt` passes what has no person behind it.
"""

from institute_lib.disclosure.results import protect_result
from institute_lib.disclosure.structure import TOTAL
from institute_lib.disclosure.tables import exempt, protect
from institute_lib.disclosure.types import SafeResult, SafeTable

__all__ = ["TOTAL", "SafeResult", "SafeTable", "exempt", "protect", "protect_result"]
