"""Registers in: from an office's workbooks and CSV files to validated, pseudonymised, dated snapshots.

`check` says all that is wrong with a file; `read` gives the clean table or raises with every fault; `import_files`
keeps it as a snapshot that `tables.load` then finds in place of the demo's.
"""

from institute_lib.registers.comparison import Comparison, compare
from institute_lib.registers.identity import load_key, new_key
from institute_lib.registers.importing import Imported, Receipt, check, import_files, read
from institute_lib.registers.report import Problem, RegisterError, Report, Source, check_report
from institute_lib.registers.vocabulary import tables

__all__ = [
    "Comparison",
    "Imported",
    "Problem",
    "Receipt",
    "RegisterError",
    "Report",
    "Source",
    "check",
    "check_report",
    "compare",
    "import_files",
    "load_key",
    "new_key",
    "read",
    "tables",
]
