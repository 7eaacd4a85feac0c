"""The ladder above the certificate: trainee supervisors, supervisors, lecturers, leading talents, awards."""

from dataclasses import dataclass

import pandas as pd

from institute_lib import terms
from institute_lib.results import Result
from institute_lib.talent.checks import require

LEVELS = ("assistant", "social_worker", "senior")


@dataclass(frozen=True)
class Ladder(Result):
    """Persons on each rung by district on a day.

    `frame`: district, rung (a certificate level or a title), persons.
    `per_hundred`: supervisors and trainees per 100 certified, None where nobody is certified.
    """

    frame: pd.DataFrame
    at: str
    per_hundred: float | None
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def totals(self) -> pd.Series:
        """Persons on each rung, all districts together."""
        return self.frame.groupby("rung", sort=False)["persons"].sum()

    def summary(self, language: str = "zh") -> str:
        """One sentence: the certified, and supervisors per hundred of them."""
        certified = self.totals().reindex(list(LEVELS)).sum()
        return terms.text(
            "talent.ladder",
            language,
            date=terms.date(self.at, language),
            certified=terms.count(float(certified), language),
            ratio=terms.number(self.per_hundred, language, 1),
        )


def ladder(talent: pd.DataFrame, exams: pd.DataFrame, *, at: str) -> Ladder:
    """Persons on each rung by district at the end of a day.

    A candidate stands on the highest level passed by then, in the district of that pass; a title counts each holder
    once a district.

    Args:
        talent: person_id, title, district, awarded.
        exams: candidate_id, exam_date, district, level, passed.
        at: an ISO day.

    Raises:
        DataError: a column is missing.
    """
    require(talent, ("person_id", "title", "district", "awarded"), table="talent")
    require(exams, ("candidate_id", "exam_date", "district", "level", "passed"), table="exams")
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
    supervisors = held.loc[held["title"].isin(["supervisor", "supervisor_trainee"]), "person_id"].nunique()
    per_hundred = 100 * supervisors / len(highest) if len(highest) else None
    return Ladder(frame, day.date().isoformat(), per_hundred)
