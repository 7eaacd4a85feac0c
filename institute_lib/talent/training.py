"""What to teach: subjects failed, skills missing by field, supervisors short, continuing education against the rule."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from institute_lib import areas, terms
from institute_lib.errors import DataError
from institute_lib.result import Measure, Result, provenance_of
from institute_lib.tables.contracts import EXAM_LEVELS, FIELDS, SUBJECTS
from institute_lib.talent.checks import (
    TOTAL,
    check_by,
    refuse,
    require,
    stated_once,
    unknown_levels,
    with_every,
    with_share,
)
from institute_lib.talent.community import employed
from institute_lib.talent.examinations import check_exams

SEPARATOR = ";"
REGISTERED_YEARS = 3  # the hours are stated for one period of registration


def subjects_failed(exams: pd.DataFrame, *, by: Sequence[str] = ("level",)) -> pd.DataFrame:
    """How often each subject was failed, of the candidates who sat it.

    Args:
        exams: the contract's table with `subjects_failed` (semicolons between; empty where none was failed or it is not
            recorded). Candidates who sat, did not pass and name no subject count as not recorded and are left out.
        by: any of level, district, year.

    Returns:
        the columns of `by`, subject, sat, failed, share with share_low, share_high (Wilson); most failed first.

    Raises:
        DataError: no subjects on record, examinations that cannot be, or a subject that the level does not have.
    """
    require(exams, ("subjects_failed",), table="exams")
    check_exams(exams)
    groups = check_by(by, ("level", "district", "year"))
    sat = exams[exams["sat"].astype(bool) & ~exams["stock"].astype(bool)]
    sat = sat.assign(year=sat["exam_date"].dt.year, named=sat["subjects_failed"].fillna("").str.split(SEPARATOR))
    known = sat[sat["passed"].astype(bool) | sat["named"].map(any)]
    if not known["named"].map(any).any():
        raise DataError(
            "exams: `subjects_failed` is empty throughout; ask the examination office for results by subject"
        )
    _check_subjects(known)
    parts = []
    for level, rows in known.groupby("level", observed=True):
        for subject in SUBJECTS[level]:
            failed = rows["named"].map(lambda names, subject=subject: subject in names)
            parts.append(rows[groups].assign(subject=subject, sat=1, failed=failed.astype(int)))
    counted = pd.concat(parts).groupby([*groups, "subject"], observed=True)[["sat", "failed"]].sum().reset_index()
    rated = with_share(counted, numerator="failed", denominator="sat", name="share")
    return rated.sort_values("share", ascending=False, ignore_index=True)


def _check_subjects(exams: pd.DataFrame) -> None:
    named = exams.explode("named")
    named = named[named["named"] != ""]
    faults = [
        unknown_levels(rows.rename(columns={"named": "subject"}), "subject", SUBJECTS[level], table="exams")
        for level, rows in named.groupby("level", observed=True)
    ]
    refuse("exams", *faults)


def required_hours(facts: pd.DataFrame | None = None) -> dict[str, float]:
    """Continuing-education hours a year by certificate, as the ministry's rule gives them for three years.

    Args:
        facts: `areas.reference("other_facts")`; None reads it.

    Raises:
        DataError: the facts do not hold the rule.
    """
    facts = areas.reference("other_facts") if facts is None else facts
    found = {}
    for level in EXAM_LEVELS:
        stated = stated_once(facts, terms.text(f"talent.hours_{level}", "zh"))
        found[level] = float(stated["amount"]) / REGISTERED_YEARS
    return found


def training_needs(
    workers: pd.DataFrame, changes: pd.DataFrame, *, at: str, required: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Where workers lack a certificate, a supervisor, or hours of continuing education, by field of service.

    The register holds no list of skills: a certificate, supervision and hours are what it can tell.

    Args:
        workers, changes: the contract's tables; changes with certificate, supervised, training_hours.
        at: the day. Hours run over the calendar year, so that only a year's last quarter compares with a full year.
        required: hours a year by certificate; None for the ministry's (`required_hours`).

    Returns:
        field, headcount, uncertified, unsupervised, short (of hours), each with a count `_of` that is known and a share
        with limits.

    Raises:
        DataError: a column is missing or holds what cannot be.
    """
    require(changes, ("supervised", "training_hours"), table="worker_changes")
    require(workers, ("field",), table="workers")
    rule = required_hours() if required is None else dict(required)
    here = employed(workers, changes, at=at, kind=None)
    due = here["certificate"].map(rule).astype(float)
    flags = {
        "uncertified": (here["certificate"] == "none").where(here["certificate"] != "unknown"),
        "unsupervised": here["supervised"].astype("boolean").eq(False),
        "short": (here["training_hours"] < due).where(here["training_hours"].notna() & due.notna()),
    }
    counted = here[["field"]].assign(headcount=1)
    for name, flag in flags.items():
        known = flag.astype("float64")
        counted = counted.assign(**{name: known.fillna(0.0), f"{name}_of": known.notna().astype(int)})
    by_field = counted.groupby("field", observed=True).sum().reset_index()
    for name in flags:
        by_field = with_share(by_field, numerator=name, denominator=f"{name}_of", name=f"{name}_share")
    return by_field


# Results: what a notebook shows.


def failed_subjects(exams: pd.DataFrame) -> Result | None:
    """How often each subject was failed by those who sat it, by district and in all.

    Returns:
        Result by level, subject and district (across), the whole as "total": share of those who sat that failed; None
        where no subject is on record.
    """
    recorded = "subjects_failed" in exams and exams["subjects_failed"].notna().any()
    if not recorded:
        return None
    parts = [subjects_failed(exams, by=("level", "district")), subjects_failed(exams).assign(district=TOTAL)]
    parts = parts[1:] if exams["district"].nunique() == 1 else parts
    keys, codes = ("level", "subject", "district"), dict.fromkeys(one for part in parts for one in part["district"])
    places = sorted(codes, key=lambda code: (code == TOTAL, code))
    every = [(level, one, code) for level in EXAM_LEVELS for one in SUBJECTS[level] for code in places]
    frame = with_every(pd.concat(parts, ignore_index=True), keys, every, ["sat", "failed"])
    return Result(
        frame.rename(columns={"share": "failed_share"}),
        keys,
        (Measure("failed_share", "share", of=("failed", "sat")),),
        "sat",
        provenance_of(exams),
        title="notebooks.subjects_table",
        look={"across": "district"},
    )


def needs_by_field(workers: pd.DataFrame, changes: pd.DataFrame, *, at: str) -> Result:
    """The shares who lack a certificate, a supervisor or hours of continuing education, as `training_needs`.

    Returns:
        Result by field, the whole as "total": uncertified_share, unsupervised_share, short_share, headcount.
    """
    frame = training_needs(workers, changes, at=at)
    counts = [name for name in frame if not name.endswith(("_share", "_low", "_high")) and name != "field"]
    total = frame[counts].sum().to_frame().T.assign(field=TOTAL)
    whole = with_every(pd.concat([frame, total]), ["field"], (*FIELDS, TOTAL), counts).astype(
        dict.fromkeys(counts, float)
    )
    names = ("uncertified", "unsupervised", "short")
    for name in names:
        whole[f"{name}_share"] = whole[name] / whole[f"{name}_of"].where(whole[f"{name}_of"] > 0)

    def said(shown: Any, language: str) -> list[tuple[str, dict[str, Any]]]:
        most = shown.highest("uncertified_share")
        short = shown.figure("short_share", field=TOTAL)
        return [("talent.training", {"field": most["field"], "share": most["uncertified_share"], "short": short})]

    return Result(
        whole,
        ("field",),
        (
            *(Measure(f"{name}_share", "share", of=(name, f"{name}_of")) for name in names),
            Measure("headcount", "count"),
        ),
        "headcount",
        provenance_of(workers, changes),
        title="notebooks.needs_table",
        sentence=said,
    )
