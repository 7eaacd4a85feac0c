"""Registers in: from an office's workbooks and CSV files to validated, pseudonymised tables, kept by district and day.

`check` says all that is wrong with a file; `read` gives the clean table or raises with every fault; `import_files`
keeps it, and `tables.load` then finds it in place of the demo's. `holdings` lists what is kept; `undo`, `answer`,
`link`, `rekey` and `forget` mend it.
"""

from institute_lib.registers.comparison import Comparison, compare
from institute_lib.registers.identity import load_key, new_key
from institute_lib.registers.importing import Imported, Receipt, check, import_files, read
from institute_lib.registers.marking import hand_back
from institute_lib.registers.report import Problem, RegisterError, Report, Source, check_report
from institute_lib.registers.template import write as write_template
from institute_lib.registers.upkeep import answer, forget, gaps, holdings, link, rekey, show, undo
from institute_lib.registers.vocabulary import tables

__all__ = [
    "Comparison",
    "Imported",
    "Problem",
    "Receipt",
    "RegisterError",
    "Report",
    "Source",
    "answer",
    "check",
    "check_report",
    "compare",
    "forget",
    "gaps",
    "hand_back",
    "holdings",
    "import_files",
    "link",
    "load_key",
    "new_key",
    "read",
    "rekey",
    "show",
    "tables",
    "undo",
    "write_template",
]
