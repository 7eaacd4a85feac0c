"""Rules between the columns of one row, and between rows: what a column's own type and range cannot say."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from institute_lib import terms


@dataclass(frozen=True)
class Rule:
    """A rule between columns of one row, or between rows: `holds` gives one truth value a row."""

    column: str
    text: str
    holds: Callable[[pd.DataFrame], pd.Series]
    remedy: str = ""


def _before_or_missing(earlier: str, later: str, *, strict: bool) -> Callable[[pd.DataFrame], pd.Series]:
    def holds(frame: pd.DataFrame) -> pd.Series:
        ordered = frame[later] > frame[earlier] if strict else frame[later] >= frame[earlier]
        return ordered | frame[later].isna() | frame[earlier].isna()

    return holds


def _at_most(part: str, whole: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: (frame[part] <= frame[whole]) | frame[part].isna() | frame[whole].isna()


def _only_if(part: str, whole: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: ~frame[part].astype(bool) | frame[whole].astype(bool)


def _spells_do_not_overlap(frame: pd.DataFrame) -> pd.Series:
    own = ["worker_id", "district"]
    several = frame.loc[frame.duplicated(own, keep=False), [*own, "entered", "left"]]
    ordered = several.sort_values([*own, "entered"], kind="stable")
    previous_end = ordered.groupby(own)["left"].shift().astype("datetime64[us]")
    follows = (ordered[own] == ordered[own].shift()).all(axis=1)
    overlaps = follows & (previous_end.isna() | (previous_end > ordered["entered"]))
    return ~overlaps.reindex(frame.index, fill_value=False)


def _districts_are_known(frame: pd.DataFrame) -> pd.Series:
    from institute_lib import areas

    known = {area.code for area in areas.districts("320000")}
    codes = [code for code in frame["district"].unique() if isinstance(code, str)]
    filed = [code for code in codes if areas.host(code) in known or (code[2:] != "0000" and areas.is_known(code))]
    return frame["district"].isin(filed)


KNOWN_DISTRICT = Rule(
    "district",
    "a county-level unit of the province, or a development zone of the statistical list",
    _districts_are_known,
    "look the code up in data/reference/districts.csv",
)
RULES: dict[str, tuple[Rule, ...]] = {
    "workers": (
        KNOWN_DISTRICT,
        Rule("left", "left comes after entered", _before_or_missing("entered", "left", strict=True)),
        Rule(
            "leave_reason",
            "stands exactly where `left` stands",
            lambda frame: frame["leave_reason"].notna() == frame["left"].notna(),
            "use 'unknown' for a leaver whose reason is not recorded",
        ),
        Rule(
            "entered",
            "the spells of one worker in one district do not overlap",
            _spells_do_not_overlap,
            "close the earlier spell, or merge the two",
        ),
    ),
    "stations": (
        KNOWN_DISTRICT,
        Rule("closed", "closed is not before opened", _before_or_missing("opened", "closed", strict=False)),
    ),
    "exams": (
        KNOWN_DISTRICT,
        Rule("passed", terms.text("tables.rule_passed", "en"), _only_if("passed", "sat")),
        Rule("sat", terms.text("tables.rule_sat", "en"), _only_if("sat", "registered")),
    ),
    "services": (
        KNOWN_DISTRICT,
        Rule(
            "outcome_numerator",
            "the numerator is at most the denominator",
            _at_most("outcome_numerator", "outcome_denominator"),
        ),
        Rule("schools_covered", "schools covered are at most schools", _at_most("schools_covered", "schools")),
    ),
    "procurement": (KNOWN_DISTRICT,),
    "talent": (KNOWN_DISTRICT,),
    "district_panel": (KNOWN_DISTRICT,),
    "reporting": (KNOWN_DISTRICT,),
    "village_population": (KNOWN_DISTRICT,),
}
