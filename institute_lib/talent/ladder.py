"""The ladder above the certificate: trainee supervisors, supervisors, lecturers, leading talents, awards."""

from dataclasses import dataclass, field

import pandas as pd

from institute_lib import terms
from institute_lib.results import Result
from institute_lib.tables.contracts import EXAM_LEVELS, TITLES
from institute_lib.talent.checks import refuse, require, unknown_levels

LEVELS = EXAM_LEVELS
SUPERVISORS = ("supervisor_trainee", "supervisor")
YEAR = 365.2425


@dataclass(frozen=True)
class Ladder(Result):
    """Persons on each rung by district on a day.

    `frame`: district, rung (a certificate level or a title), persons.
    `per_hundred`: supervisors and trainees per 100 certified, None where nobody is certified.
    `per_hundred_in_post`: likewise per 100 certified workers in post, None where their number was not given.
    `supervising`: supervisors and trainees by district, each person once.
    """

    frame: pd.DataFrame
    at: str
    per_hundred: float | None
    per_hundred_in_post: float | None = None
    warnings: tuple[str, ...] = ()
    supervising: pd.Series = field(default_factory=lambda: pd.Series(dtype=int))

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def totals(self) -> pd.Series:
        """Persons on each rung, all districts together, from the lowest certificate up."""
        summed = self.frame.groupby("rung", sort=False)["persons"].sum()
        return summed.reindex([rung for rung in (*LEVELS, *TITLES) if rung in summed.index])

    def by_district(self, *, total: str = "") -> pd.DataFrame:
        """district, certified, supervisors (trainees included, each person once), per_hundred: where they are short.

        Args:
            total: the code of the city, for a last row with the sums.
        """
        wide = self.frame.pivot_table(index="district", columns="rung", values="persons", fill_value=0)
        certified = wide.reindex(columns=list(LEVELS), fill_value=0).sum(axis=1)
        supervisors = self.supervising.reindex(wide.index, fill_value=0)
        frame = pd.DataFrame({"certified": certified, "supervisors": supervisors})
        if total:
            frame.loc[total] = frame.sum()
        return frame.assign(
            per_hundred=100 * frame["supervisors"] / frame["certified"].where(frame["certified"] > 0)
        ).reset_index()

    def summary(self, language: str = "zh") -> str:
        """One sentence: the certified, and supervisors per hundred of them."""
        certified = self.totals().reindex(list(LEVELS)).sum()
        in_post = self.per_hundred_in_post is not None
        return terms.text(
            "talent.ladder_in_post" if in_post else "talent.ladder",
            language,
            in_post=terms.number(self.per_hundred_in_post, language, 1),
            date=terms.date(self.at, language),
            certified=terms.count(float(certified), language),
            ratio=terms.number(self.per_hundred, language, 1),
        )


def ladder(talent: pd.DataFrame, exams: pd.DataFrame, *, at: str, in_post: float | None = None) -> Ladder:
    """Persons on each rung by district at the end of a day.

    A candidate stands on the highest level passed by then, in the district of that pass; a title counts each holder
    once a district.

    Args:
        talent: person_id, title, district, awarded.
        exams: candidate_id, exam_date, district, level, passed.
        at: an ISO day.
        in_post: certified workers in post on that day, for supervisors per hundred of them.

    Raises:
        DataError: a column is missing, or a level or a title that does not exist.
    """
    _check(talent, exams)
    day = pd.Timestamp(at)
    passed = exams[exams["passed"].astype(bool) & (exams["exam_date"] <= day)]
    ranked = passed.assign(rank=passed["level"].map({level: rank for rank, level in enumerate(LEVELS)}))
    highest = ranked.sort_values(["rank", "exam_date"]).drop_duplicates("candidate_id", keep="last")
    certified = highest.groupby(["district", "level"], observed=True).size()
    held = talent[talent["awarded"] <= day].drop_duplicates(["person_id", "title", "district"])
    titled = held.groupby(["district", "title"], observed=True).size()
    frame = pd.concat(
        [
            certified.rename("persons").rename_axis(["district", "rung"]).reset_index(),
            titled.rename("persons").rename_axis(["district", "rung"]).reset_index(),
        ],
        ignore_index=True,
    )
    supervising = held[held["title"].isin(SUPERVISORS)]
    supervisors = supervising["person_id"].nunique()
    per_hundred = 100 * supervisors / len(highest) if len(highest) else None
    by_post = 100 * supervisors / in_post if in_post else None
    by_district = supervising.groupby("district", observed=True)["person_id"].nunique()
    return Ladder(frame, day.date().isoformat(), per_hundred, by_post, supervising=by_district)


def _check(talent: pd.DataFrame, exams: pd.DataFrame) -> None:
    require(talent, ("person_id", "title", "district", "awarded"), table="talent")
    require(exams, ("candidate_id", "exam_date", "district", "level", "passed"), table="exams")
    refuse("talent", unknown_levels(talent, "title", TITLES, table="talent"))
    refuse("exams", unknown_levels(exams, "level", LEVELS, table="exams"))


def per_hundred(supervisors: float, certified: float) -> float:
    """Supervisors for every hundred who are certified; NaN where nobody is."""
    return 100 * supervisors / certified if certified else float("nan")


@dataclass(frozen=True)
class Rise(Result):
    """Years from the first certificate to the first title of supervisor or trainee, of those who rose.

    `frame`: title ("any" for the earlier of the two), persons, known (the certificate's day is on record), median,
    quarter_low, quarter_high (years, of the known), earlier (certificates of the opening stock, whose day is not known:
    they took longer than the register can show).
    """

    frame: pd.DataFrame
    at: str
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def summary(self, language: str = "zh") -> str:
        """One sentence: the median time, and on how many persons it rests."""
        row = self.frame.set_index("title").loc["any"]
        return terms.text(
            "talent.rise",
            language,
            persons=terms.number(float(row["persons"]), language),
            known=terms.number(float(row["known"]), language),
            median=terms.number(row["median"], language, 1),
            low=terms.number(row["quarter_low"], language, 1),
            high=terms.number(row["quarter_high"], language, 1),
        )


def time_to_supervisor(talent: pd.DataFrame, exams: pd.DataFrame, *, at: str) -> Rise:
    """How long it took from the certificate to the title of supervisor, for those who hold it by a day.

    It describes those who rose; who has not risen yet is not in it, so that it is no forecast for the newly certified.

    Args:
        talent, exams: as `ladder`; a title's person_id is an examination's worker_id, else its candidate_id. With
            `stock` in exams, passes of the opening stock count as earlier than any day on record.

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
    frame = pd.DataFrame(rows).rename_axis("title").reset_index()
    unlinked = int(joined.loc[joined["title"] == "any", "certified"].isna().sum())
    warnings = (f"{unlinked} supervisors have no pass on record",) if unlinked else ()
    return Rise(frame, day.date().isoformat(), warnings)


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
