"""The gate: nothing leaves the institute that could point at a person.

`scan` looks through files for identity numbers, phones, names and figures that carry one value a person, wherever they
hide; `audit` for what a release gives away together with all earlier ones, kept in the ledger; `release` copies what
passes both.
"""

from institute_lib.release.audit import audit
from institute_lib.release.findings import Finding
from institute_lib.release.gate import release
from institute_lib.release.record import ReleaseRecord, verify
from institute_lib.release.scanning import scan

__all__ = ["Finding", "ReleaseRecord", "audit", "release", "scan", "verify"]
