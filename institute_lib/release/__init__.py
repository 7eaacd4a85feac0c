"""The gate: nothing leaves the institute that could point at a person.

`scan` looks through a brief or a notebook for identity numbers, phones, paths with user names and figures that carry
one value a person, wherever they hide.
"""

from institute_lib.release.findings import Finding
from institute_lib.release.scanning import scan

__all__ = ["Finding", "scan"]
