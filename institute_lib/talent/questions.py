"""The three questions (they stay, they are placed, they achieve), each answered by shares whose counts are given."""

from dataclasses import dataclass

import pandas as pd

from institute_lib import retention, terms
from institute_lib.results import Result
from institute_lib.sharing import once_a_run
from institute_lib.talent import services as service_outcomes
from institute_lib.talent.checks import require
from institute_lib.talent.intervals import with_share

QUESTIONS = ("stay", "placed", "effective")
ANSWERS = ("stability", "certified_in_post", "passed_in_post", "outcome_reached")
CERTIFIED = ("assistant", "social_worker", "senior")


@dataclass(frozen=True)
class Questions(Result):
    """`frame`: question, indicator, numerator, denominator, share, share_low, share_high (Wilson)."""

    frame: pd.DataFrame
    quarter: str
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        return self.frame.copy()

    def labels(self, language: str = "zh") -> dict[str, str]:
        """The words for the questions and indicators of `frame`."""
        return question_labels(language)

    def summary(self, language: str = "zh") -> str:
        """One sentence: the first indicator of each question."""
        first = self.frame.drop_duplicates("question").set_index("question")["share"]
        shown = {name: terms.percent(first.get(name), language) for name in QUESTIONS}
        return terms.text("talent.questions", language, quarter=terms.quarter(self.quarter, language), **shown)


def question_labels(language: str = "zh") -> dict[str, str]:
    """The words for the questions and their indicators."""
    keys = [f"question_{name}" for name in QUESTIONS] + [f"indicator_{name}" for name in ANSWERS]
    return {key.partition("_")[2]: terms.text(f"talent.{key}", language) for key in keys}


def questions(
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    exams: pd.DataFrame,
    services: pd.DataFrame,
    *,
    quarter: str,
    since: str | None = None,
) -> Questions:
    """Whether they stay, are placed, and achieve, at the end of a quarter.

    stay: of those employed four quarters ago, still employed (`retention.rates`, stability).
    placed: of those employed at the quarter's end whose certificate is known, certified; of the candidates who passed
    by then and are no opening stock, employed as a worker.
    effective: of the cases assessed in the quarter, the outcome reached.

    Args:
        workers, changes, exams, services: the contract's tables `workers`, `worker_changes`, `exams`, `services`.
        quarter: such as 2025Q4.
        since: the register's first quarter; a stability over four quarters that begin before it is missing.

    Raises:
        DataError: a column is missing, or spells that cannot be.
    """
    require(changes, ("worker_id", "date", "certificate"), table="worker_changes")
    require(exams, ("candidate_id", "exam_date", "passed", "worker_id", "stock"), table="exams")
    end = pd.Period(quarter, freq="Q").end_time.floor("D")
    stability = retention.rates(workers, quarter=quarter, by=()).iloc[0]
    here = set(workers.loc[(workers["entered"] <= end) & ~(workers["left"] <= end), "worker_id"])
    state = _latest(changes[changes["date"] <= end], "worker_id", "date")
    state = state[state["worker_id"].isin(here) & (state["certificate"] != "unknown")]
    recent = exams[exams["passed"].astype(bool) & ~exams["stock"].astype(bool) & (exams["exam_date"] <= end)]
    passed = _latest(recent, "candidate_id", "exam_date")
    achieved = service_outcomes.outcomes(services, quarter=quarter, by=()).frame.iloc[0]
    young = since is not None and pd.Period(quarter, freq="Q") - 3 < pd.Period(since, freq="Q")
    stayers, start = (float("nan"),) * 2 if young else (stability["stayers"], stability["headcount_start"])
    rows = [
        ("stay", "stability", stayers, start),
        ("placed", "certified_in_post", state["certificate"].isin(CERTIFIED).sum(), len(state)),
        ("placed", "passed_in_post", passed["worker_id"].isin(here).sum(), len(passed)),
        ("effective", "outcome_reached", achieved["outcome_numerator"], achieved["outcome_denominator"]),
    ]
    frame = pd.DataFrame(rows, columns=["question", "indicator", "numerator", "denominator"])
    frame[["numerator", "denominator"]] = frame[["numerator", "denominator"]].astype(float)
    unknown = len(here) - len(state)
    warnings = (f"the certificate of {unknown} of {len(here)} employed workers is not recorded",) if unknown else ()
    warnings += (f"the register begins in {since}: too late for a year's stability by {quarter}",) if young else ()
    return Questions(
        with_share(frame, numerator="numerator", denominator="denominator", name="share"), quarter, warnings
    )


@once_a_run
def questions_beside(
    workers: pd.DataFrame,
    changes: pd.DataFrame,
    exams: pd.DataFrame,
    services: pd.DataFrame,
    *,
    districts: tuple[str, ...],
    city: str,
    quarters: tuple[str, ...],
    since: str | None = None,
) -> pd.DataFrame:
    """The questions of a city and each of its districts in several quarters, side by side.

    One table, so that what must be hidden of a district is hidden beside the city's total, whoever shows it.

    Args:
        workers, exams, services: of the districts.
        districts: those that are in the city's figures.
        quarters: those that begin before `since` are left out.

    Returns:
        area, quarter and the columns of `Questions.frame`.

    Raises:
        DataError: as `questions`.
    """
    found = []
    for quarter in (one for one in quarters if since is None or one >= since):
        for area in (*districts, city):
            here = (one if area == city else one[one["district"] == area] for one in (workers, exams, services))
            of_workers, of_exams, of_services = here
            answers = questions(of_workers, changes, of_exams, of_services, quarter=quarter, since=since)
            found.append(answers.frame.assign(area=area, quarter=quarter))
    return pd.concat(found, ignore_index=True)


def _latest(frame: pd.DataFrame, person: str, day: str) -> pd.DataFrame:
    return frame.sort_values(day).drop_duplicates(person, keep="last")
