"""The ladder above the certificate: trainee supervisors, supervisors, lecturers, leading talents, awards."""

import pandas as pd

from institute_lib.result import Measure, Result, provenance_of
from institute_lib.tables.contracts import EXAM_LEVELS, TITLES
from institute_lib.talent.checks import SUPERVISORS, refuse, require, unknown_levels

YEAR = 365.2425


def ladder(talent: pd.DataFrame, exams: pd.DataFrame, *, at: str) -> pd.Series:
    """Persons on each rung at the end of a day, from the lowest certificate up.

    A candidate stands on the highest level passed by then; a title counts each holder once.

    Args:
        talent: person_id, title, district, awarded.
        exams: candidate_id, exam_date, district, level, passed.
        at: an ISO day.

    Raises:
        DataError: a column is missing, or a level or a title that does not exist.
    """
    _check(talent, exams)
    day = pd.Timestamp(at)
    passed = exams[exams["passed"].astype(bool) & (exams["exam_date"] <= day)]
    ranked = passed.assign(rank=passed["level"].map({level: rank for rank, level in enumerate(EXAM_LEVELS)}))
    highest = ranked.sort_values(["rank", "exam_date"]).drop_duplicates("candidate_id", keep="last")
    held = talent[talent["awarded"] <= day].drop_duplicates(["person_id", "title"])
    counted = pd.concat([highest["level"].value_counts(), held["title"].value_counts()])
    return counted.reindex([*EXAM_LEVELS, *TITLES], fill_value=0).rename("persons").rename_axis("rung")


def _check(talent: pd.DataFrame, exams: pd.DataFrame) -> None:
    require(talent, ("person_id", "title", "district", "awarded"), table="talent")
    require(exams, ("candidate_id", "exam_date", "district", "level", "passed"), table="exams")
    refuse("talent", unknown_levels(talent, "title", TITLES, table="talent"))
    refuse("exams", unknown_levels(exams, "level", EXAM_LEVELS, table="exams"))


def time_to_supervisor(talent: pd.DataFrame, exams: pd.DataFrame, *, at: str) -> pd.DataFrame:
    """How long it took from the certificate to the title of supervisor, for those who hold it by a day.

    It describes those who rose; who has not risen yet is not in it, so that it is no forecast for the newly certified.

    Args:
        talent, exams: as `ladder`; a title's person_id is an examination's worker_id, else its candidate_id. With
            `stock` in exams, passes of the opening stock count as earlier than any day on record.

    Returns:
        title ("any" for the earlier of the two), persons, known (the certificate's day is on record), median,
        quarter_low, quarter_high (years, of the known), earlier (certificates of the opening stock, whose day is not
        known: they took longer than the register can show).

    Raises:
        DataError: as `ladder`.
    """
    _check(talent, exams)
    day = pd.Timestamp(at)
    passed = exams[exams["passed"].astype(bool) & (exams["exam_date"] <= day)]
    person = passed["worker_id"].fillna(passed["candidate_id"]) if "worker_id" in passed else passed["candidate_id"]
    stock = passed["stock"].astype(bool) if "stock" in passed else pd.Series(False, passed.index)
    certificates = pd.DataFrame({"person_id": person, "certified": passed["exam_date"], "stock": stock})
    earliest = certificates.sort_values(["stock", "certified"], ascending=[False, True]).drop_duplicates("person_id")
    held = talent[(talent["awarded"] <= day) & talent["title"].isin(SUPERVISORS)]
    first = held.sort_values("awarded").drop_duplicates(["person_id", "title"])
    either = first.drop_duplicates("person_id").assign(title="any")
    joined = pd.concat([either, first]).merge(earliest, how="left", on="person_id")
    joined = joined[~(joined["certified"] > joined["awarded"]) | joined["stock"].eq(True)]
    rows = [_rise(joined[joined["title"] == title]).rename(title) for title in ("any", *SUPERVISORS)]
    return pd.DataFrame(rows).rename_axis("title").reset_index()


def _rise(held: pd.DataFrame) -> pd.Series:
    stock = held["stock"].eq(True)
    years = ((held["awarded"] - held["certified"]).dt.days / YEAR)[~stock].dropna()
    quarters = years.quantile([0.25, 0.5, 0.75]).to_numpy() if len(years) else [float("nan")] * 3
    return pd.Series(
        {
            "persons": len(held),
            "known": len(years),
            "median": quarters[1],
            "quarter_low": quarters[0],
            "quarter_high": quarters[2],
            "earlier": int(stock.sum()),
        }
    )


def rungs(talent: pd.DataFrame, exams: pd.DataFrame, *, at: str) -> Result:
    """Persons on each rung of the ladder, from the lowest certificate up.

    Returns:
        Result by rung: persons.
    """
    return Result(
        ladder(talent, exams, at=at).reset_index(),
        ("rung",),
        (Measure("persons", "count"),),
        "persons",
        provenance_of(talent, exams),
        title="notebooks.ladder_table",
        chart="bars",
    )


def years_to_supervisor(talent: pd.DataFrame, exams: pd.DataFrame, *, at: str) -> Result:
    """Years from the certificate to the title, as `time_to_supervisor`.

    Returns:
        Result by title: known (persons), median, quarter_low, quarter_high (years).
    """
    return Result(
        time_to_supervisor(talent, exams, at=at).fillna(0.0),  # of nobody, which reads as of a few
        ("title",),
        (
            Measure("median", "number", digits=1, of="known", statistic="median"),
            Measure("quarter_low", "number", digits=1, of="known", statistic="median"),
            Measure("quarter_high", "number", digits=1, of="known", statistic="median"),
            Measure("known", "count"),
        ),
        "known",
        provenance_of(talent, exams),
        title="notebooks.rise_table",
    )
