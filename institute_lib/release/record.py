"""What a release decided, brief by brief: said, written down, signed, and verified later."""

import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from institute_lib import paths, terms
from institute_lib.errors import DataError, ReleaseError
from institute_lib.registers import load_key
from institute_lib.release.findings import Finding

RELEASED, RECORD = "released", "release_record.json"


@dataclass(frozen=True)
class Item:
    """One brief at the gate: whether it may leave, and if not, why and what to change.

    Attributes:
        reasons: keys of `terms/release.toml` without "held_"; empty when released.
        findings: of scan and audit; `accepted` the rules of those that somebody answers for.
        sha256: of the released file.
    """

    notebook: str
    area: str
    released: bool
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    accepted: tuple[str, ...] = ()
    sha256: str = ""

    def describe(self, language: str = "zh") -> str:
        """The brief and, if it is held back, what to change."""
        name = f"{self.notebook}/{self.area}"
        if self.released:
            return terms.text("release.released", language, brief=name)
        changes = [terms.text(f"release.held_{reason}", language) for reason in self.reasons]
        changes += [one.describe(language) for one in self.findings if one.rule not in self.accepted]
        return terms.text(
            "release.held", language, brief=name, changes=("；" if language == "zh" else "; ").join(changes)
        )


@dataclass(frozen=True)
class ReleaseRecord:
    """What a release did: `items` one a brief, who released them, when, and why findings were accepted."""

    quarter: str
    language: str
    by: str
    when: str
    items: tuple[Item, ...]
    why: str = ""
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def released(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.released)

    @property
    def held(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.released)

    def summary(self, language: str | None = None) -> str:
        """How many briefs left and how many were held back, in one sentence."""
        language = language or self.language
        counts = {"released": len(self.released), "held": len(self.held)}
        return terms.text("release.summary", language, quarter=terms.quarter(self.quarter, language), **counts)

    def to_frame(self) -> pd.DataFrame:
        """One row a brief: notebook, area, released, reasons, findings, sha256."""
        rows = [
            {
                "notebook": item.notebook,
                "area": item.area,
                "released": item.released,
                "reasons": " ".join(item.reasons),
                "findings": len(item.findings),
                "sha256": item.sha256,
            }
            for item in self.items
        ]
        return pd.DataFrame(rows, columns=["notebook", "area", "released", "reasons", "findings", "sha256"])


def write_record(record: ReleaseRecord) -> None:
    """Add the record to those of the quarter, signed with the institute's key."""
    entry = {
        "quarter": record.quarter,
        "language": record.language,
        "by": record.by,
        "when": record.when,
        "why": record.why,
        "briefs": [
            {
                "brief": f"{item.notebook}/{item.area}",
                "released": item.released,
                "sha256": item.sha256,
                "reasons": list(item.reasons),
                "accepted": list(item.accepted),
                "findings": [
                    {
                        "rule": one.rule,
                        "severity": one.severity,
                        "where": one.where,
                        "what": one.what,
                        "tables": one.tables,
                    }
                    for one in item.findings
                ],
            }
            for item in record.items
        ],
    }
    entry["signature"] = _signature(entry)
    earlier = json.loads(record.path.read_text(encoding="utf-8")) if record.path.is_file() else []
    partial = record.path.with_name(f".{record.path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps([*earlier, entry], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    partial.replace(record.path)


def verify(quarter: str, *, language: str = "zh") -> tuple[str, ...]:
    """What of a quarter's record or released files is not as it was signed; empty when all is.

    Raises:
        ReleaseError: nothing was released.
    """
    folder = paths.run_folder(quarter, language)
    if not (folder / RECORD).is_file():
        raise ReleaseError(f"{folder.name}: nothing was released; there is no {RECORD}")
    entries = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    wrong = [f"record of {one['when']}" for one in entries if one.get("signature") != _signature(one)]
    last = {b["brief"]: b["sha256"] for one in entries for b in one["briefs"] if b["released"]}
    for path in sorted((folder / RELEASED).rglob("*")):
        name = path.parent.relative_to(folder / RELEASED).as_posix()
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != last.get(name):
            wrong.append(path.relative_to(folder).as_posix())
    return tuple(wrong)


def _signature(entry: dict[str, Any]) -> str | None:
    """HMAC-SHA256 of an entry with the institute's key; None where there is no key."""
    try:
        key = load_key()
    except DataError:  # a computer without registers has none, and what it signs off rests on none
        return None
    plain = json.dumps({k: v for k, v in entry.items() if k != "signature"}, ensure_ascii=False, sort_keys=True)
    return hmac.digest(key.secret, b"release record " + plain.encode(), "sha256").hex()
