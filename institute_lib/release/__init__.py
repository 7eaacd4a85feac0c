"""The gate: nothing leaves the institute that could point at a person, and no one person lets it leave.

`scan` looks through files for identity numbers, phones, names and figures that carry one value a person, wherever they
hide; `request` judges a quarter's briefs and asks for their release, `approve` releases them as a second person, and
`verify` compares what was released with the signed record.
"""

from institute_lib.release.chain import Record, verify
from institute_lib.release.findings import Finding
from institute_lib.release.releasing import Request, approve, pending, record_text, request, show
from institute_lib.release.scanning import scan

__all__ = [
    "Finding",
    "Record",
    "Request",
    "approve",
    "pending",
    "record_text",
    "request",
    "scan",
    "show",
    "verify",
]
