"""What each table must look like, as pandera schemas, and all breaches of it at once.

Codes are lower-case English, labels stand in `terms`. `unknown` is a declared level, for registers whose office does
not record that attribute; a blank is never read as one. `data/README.md` says the same for people.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from institute_lib import terms
from institute_lib.errors import DataError, Fault, ParameterError, nearest
from institute_lib.tables.rules import RULES, Rule

if TYPE_CHECKING:
    import pandera.pandas as pa

KINDS = ("community", "agency", "drug", "school", "unknown")
FIELDS = (
    "community",
    "drug",
    "correction",
    "elderly",
    "children",
    "school",
    "family",
    "disability",
    "migrants",
    "unknown",
)
LEAVE_REASONS = ("left_field", "moved_district", "promoted_away", "retired", "unknown")
GENDERS = ("female", "male", "unknown")
EDUCATIONS = ("secondary", "college", "bachelor", "master", "unknown")
EMPLOYMENT_CONTRACTS = ("permanent", "fixed_term", "project", "unknown")
CERTIFICATES = ("none", "assistant", "social_worker", "senior", "unknown")
EXAM_LEVELS = ("assistant", "social_worker", "senior")
# Subjects of each level's examination: comprehensive ability, practice, law and policy.
SUBJECTS = {
    "assistant": ("ability", "practice"),
    "social_worker": ("ability", "practice", "law"),
    "senior": ("practice",),
}
STATION_LEVELS = ("city", "district", "town", "village")
POINT_SYSTEMS = ("EPSG:4326", "GCJ-02")
POINT_KINDS = ("surveyed", "illustrative")
TITLES = (
    "supervisor_trainee",
    "supervisor",
    "lecturer",
    "leading_national",
    "leading_provincial",
    "most_admired",
    "city_award",
)
DESIGNS = ("pilot", "staggered", "undated")
LEDGER_STATUS = ("published", "demo")
QUARTER = r"^\d{4}Q[1-4]$"
DISTRICT = r"^\d{6}$"
SUBJECT_LIST = r"^(ability|practice|law)(;(ability|practice|law))*$"
FIRST_DAY, LAST_DAY = "1950-01-01", "2100-01-01"


def _column_types() -> dict[str, Callable[..., "pa.Column"]]:
    import pandera.pandas as pa

    def text(pattern: str | None = None, **options: object) -> "pa.Column":
        if pattern:
            return pa.Column("str", pa.Check.str_matches(pattern, error=_said("form", form=pattern)), **options)
        return pa.Column("str", pa.Check.str_length(min_value=1, error=_said("filled")), **options)

    def level(*allowed: str, **options: object) -> "pa.Column":
        return pa.Column("str", pa.Check.isin(allowed, error=_said("allowed", names=", ".join(allowed))), **options)

    def day(**options: object) -> "pa.Column":
        inside = pa.Check.in_range(
            pd.Timestamp(FIRST_DAY), pd.Timestamp(LAST_DAY), error=_said("day", first=FIRST_DAY, last=LAST_DAY)
        )
        return pa.Column("datetime64[us]", inside, **options)

    def amount(low: float = 0, high: float = float("inf"), **options: object) -> "pa.Column":
        return pa.Column("float64", pa.Check.in_range(low, high, error=_said("number", low=low, high=high)), **options)

    def flag(**options: object) -> "pa.Column":
        return pa.Column("boolean" if options.get("nullable") else "bool", **options)

    return {"text": text, "level": level, "day": day, "amount": amount, "flag": flag}


def _said(rule: str, **values: object) -> str:
    return terms.text(f"tables.rule_{rule}", "en", **values)


def _schema_columns(text, level, day, amount, flag) -> dict[str, dict[str, "pa.Column"]]:
    district, quarter, share = text(DISTRICT), text(QUARTER), amount(0, 1)
    optional = {"nullable": True}
    return {
        "workers": {
            "worker_id": text(),
            "kind": level(*KINDS),
            "employer": text(**optional),
            "station": text(**optional),
            "district": district,
            "town": text(r"^\d{9}$", **optional),
            "entered": day(),
            "left": day(**optional),
            "leave_reason": level(*LEAVE_REASONS, **optional),
            "birth_year": amount(1930, 2020, **optional),
            "gender": level(*GENDERS),
            "education": level(*EDUCATIONS),
            "contract": level(*EMPLOYMENT_CONTRACTS),
            "field": level(*FIELDS),
        },
        "worker_changes": {
            "worker_id": text(),
            "date": day(),
            "certificate": level(*CERTIFICATES),
            "monthly_pay": amount(**optional),
            "subsidy": amount(**optional),
            "caseload": amount(**optional),
            "supervised": flag(**optional),
            "training_hours": amount(**optional),
        },
        "stations": {
            "station_id": text(unique=True),
            "name": text(),
            "level": level(*STATION_LEVELS),
            "district": district,
            "town": text(r"^\d{9}$", **optional),
            "village": text(r"^\d{12}$", **optional),
            "opened": day(),
            "closed": day(**optional),
            "posts": amount(),
            "posts_filled": amount(),
            "x": amount(-180, 180, **optional),
            "y": amount(-90, 90, **optional),
            "crs": level(*POINT_SYSTEMS),
            "point_kind": level(*POINT_KINDS),
        },
        "exams": {
            "candidate_id": text(),
            "exam_date": day(),
            "district": district,
            "level": level(*EXAM_LEVELS),
            "registered": flag(),
            "sat": flag(),
            "passed": flag(),
            "worker_id": text(**optional),
            "stock": flag(),
            "subjects_failed": text(SUBJECT_LIST, nullable=True, required=False),
        },
        "policies": {
            "policy_id": text(),
            "name_zh": text(),
            "name_en": text(),
            "area": text(r"^\d{6}(;\d{6})*$"),
            "start": day(**optional),
            "treated_from": text(QUARTER, **optional),
            "partial_quarter": text(QUARTER, **optional),
            "outcome": text(),
            "design": level(*DESIGNS),
            "amount": text(**optional),
            "source": text(),
            "status": level(*LEDGER_STATUS),
            "recorded": day(),
        },
        "services": {
            "district": district,
            "quarter": quarter,
            "field": level(*FIELDS),
            "caseload": amount(),
            "outcome_numerator": amount(**optional),
            "outcome_denominator": amount(**optional),
            "schools_covered": amount(**optional),
            "schools": amount(**optional),
        },
        "procurement": {
            "contract_id": text(unique=True),
            "district": district,
            "signed": day(),
            "level": level(*STATION_LEVELS),
            "field": level(*FIELDS),
            "provider": text(),
            "amount": amount(),
            "social_worker_share": share,
            "labour_share": share,
        },
        "talent": {
            "person_id": text(),
            "title": level(*TITLES),
            "district": district,
            "awarded": day(),
        },
        "district_panel": {
            "district": district,
            "quarter": quarter,
            "headcount": amount(),
            "certified_share": amount(0, 1, **optional),
            "stay_rate": amount(0, 1, **optional),
            "town_money_share": amount(0, 1, **optional),
            "town_posts_share": amount(0, 1, **optional),
            "treated_from": text(QUARTER, **optional),
        },
        "reporting": {"district": district, "quarter": quarter, "reported": flag()},
        "village_population": {
            "village": text(r"^\d{12}$", unique=True),
            "town": text(r"^\d{9}$"),
            "district": district,
            "population": amount(),
            "x": amount(-180, 180),
            "y": amount(-90, 90),
            "crs": level(*POINT_SYSTEMS),
            "rule": text(),
        },
    }


UNIQUE_ROWS = {
    "services": ["district", "quarter", "field"],
    "district_panel": ["district", "quarter"],
    "reporting": ["district", "quarter"],
    "worker_changes": ["worker_id", "date"],
    "policies": ["policy_id", "outcome"],
}
# pandera's own words for what needs no check, and the rules that they are.
PANDERA = {"field_uniqueness": "unique", "multiple_fields_uniqueness": "unique", "not_nullable": "filled"}
CONTRACTS = (
    "workers",
    "worker_changes",
    "stations",
    "exams",
    "policies",
    "services",
    "procurement",
    "talent",
    "district_panel",
    "reporting",
    "village_population",
)
# Rows about persons, or counted from them: a figure of theirs leaves a study through disclosure control alone.
PERSONAL = ("workers", "worker_changes", "exams", "services", "talent", "district_panel")


VOCABULARIES = {
    "kind": KINDS,
    "gender": GENDERS,
    "education": EDUCATIONS,
    "contract": EMPLOYMENT_CONTRACTS,
    "certificate": CERTIFICATES,
    "leave_reason": LEAVE_REASONS,
}


def vocabulary(column: str) -> tuple[str, ...]:
    """The levels that a column of persons may hold, in their order; empty where it is not a closed list."""
    return VOCABULARIES.get(column, ())


@cache
def schema(name: str) -> "pa.DataFrameSchema":
    """The pandera schema of one table.

    Raises:
        ParameterError: no such table.
    """
    import pandera.pandas as pa

    if name not in CONTRACTS:
        raise ParameterError(f"table {name!r}: {nearest(name, CONTRACTS)}")
    return pa.DataFrameSchema(
        _schema_columns(**_column_types())[name],
        unique=UNIQUE_ROWS.get(name),
        strict="filter",
        coerce=True,
        name=name,
    )


def columns(name: str) -> tuple[str, ...]:
    """The contract's column names of one table, in order."""
    return tuple(schema(name).columns)


def validate(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The table in the contract's types and columns, or every breach of it at once.

    Args:
        name: a table of `CONTRACTS`.
        frame: one row a record; more columns than the contract's are dropped. Faults name rows by its index + 2,
            the row an office sees below a header, unless the frame carries its own `source_row` column.

    Raises:
        DataError: with one `Fault` for each breach (table, row, column, value, rule).
    """
    import pandera.errors

    rows = frame["source_row"] if "source_row" in frame else pd.Series(range(2, len(frame) + 2), frame.index)
    faults: tuple[Fault, ...] = ()
    try:
        checked = schema(name).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        faults = _column_faults(name, error.failure_cases, rows)
        # Rules between columns need columns of the right types; where those are wrong, they must be mended first.
        broken = error.failure_cases["check"].astype("str")
        checked = None if broken.str.contains("column_in_dataframe|dtype").any() else schema(name).coerce_dtype(frame)
    if checked is not None:
        faults += tuple(fault for rule in RULES.get(name, ()) for fault in _row_faults(name, checked, rule, rows))
    if faults:
        raise DataError(f"table {name!r} breaks its contract (faults: {len(faults)})", faults)
    checked.attrs = dict(frame.attrs)
    return checked


def _column_faults(name: str, cases: pd.DataFrame, rows: pd.Series) -> tuple[Fault, ...]:
    faults = []
    for case in cases.to_dict("records"):
        column, rule, value = case["column"], str(case["check"]), case["failure_case"]
        if rule == "column_in_dataframe":
            column, value, rule = (
                value,
                None,
                f"required column is missing; the table has {', '.join(columns(name))}",
            )
        rule = _said(PANDERA[rule]) if rule in PANDERA else rule
        index = case["index"]
        row = None if pd.isna(index) or index not in rows.index else rows.loc[index]
        faults.append(Fault(name, None if row is None else int(row), column, value, rule))
    return tuple(dict.fromkeys(faults))


def _row_faults(name: str, frame: pd.DataFrame, rule: Rule, rows: pd.Series) -> list[Fault]:
    broken = frame.index[~rule.holds(frame).astype(bool)]
    return [
        Fault(name, int(rows.loc[index]), rule.column, frame.loc[index, rule.column], rule.text, rule.remedy)
        for index in broken
    ]
