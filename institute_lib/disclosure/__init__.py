"""What may be shown of person-level data: the only maker of `SafeTable` and `SafeResult`.

`protect` takes a table of cells, `protect_result` a model, curve or path; `exempt` passes what has no person behind it.
`internal` marks a table that a researcher may look at and that no brief shows.
"""

from institute_lib.disclosure.internal import InternalTable, internal
from institute_lib.disclosure.results import protect_result
from institute_lib.disclosure.structure import TOTAL
from institute_lib.disclosure.tables import exempt, protect
from institute_lib.disclosure.types import SafeResult, SafeTable

__all__ = ["TOTAL", "InternalTable", "SafeResult", "SafeTable", "exempt", "internal", "protect", "protect_result"]
