"""The one page of an area: five indicators beside last year, the city and its own targets, from saved results alone.

page = overview.page(study, tiles=["turnover", "certified_in_post"])
page.show()
page.say()
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from institute_lib import areas, indicators, paths, sharing, talent, terms
from institute_lib.brief.blocks import TILES, Block
from institute_lib.disclosure import Figure, Protected, SafeSentence, from_records
from institute_lib.disclosure.figures import LEVEL, MAKER, MISSING, SHOWN, made_figure, recorded_figure
from institute_lib.errors import DataError
from institute_lib.indicators import Indicator
from institute_lib.result import Measure, Provenance, Result, job_provenance, provenance_of
from institute_lib.retention.intervals import normal_quantile
from institute_lib.runs.compare import in_unit, past
from institute_lib.sharing import Read
from institute_lib.study import Study
from institute_lib.tables.files import content

LEAST = {"share": 0.01, "other": 0.05}  # a difference that counts: one point of a share, a twentieth of other figures
STATUS = ("normal", "watch", "alert")
MOST_SAID, MOST_ADVICE = 3, 2
TARGETS = "targets.csv"
TARGET_COLUMNS = ("indicator", "area", "target", "source")


@dataclass(frozen=True)
class Known:
    """A recorded figure with the limits of its 95 % interval, where it has one, and the notebook that recorded it."""

    figure: Figure
    low: float = np.nan
    high: float = np.nan
    notebook: str = ""

    @property
    def shown(self) -> bool:
        return self.figure.state == SHOWN

    @property
    def has_interval(self) -> bool:
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def spread(self) -> float:
        """The standard error that its interval implies; without one that of a count, and half of the rounding."""
        if self.has_interval:
            return (self.high - self.low) / (2 * normal_quantile())
        chance = np.sqrt(self.figure.value) if self.figure.unit == "count" else 0.0
        return float(np.hypot(chance, self.figure.error / 2))

    def least(self) -> float:
        """The least difference from this figure that counts."""
        return LEAST["share"] if self.figure.unit == "share" else LEAST["other"] * abs(self.figure.value)

    def apart(self, other: "Known") -> bool:
        """Whether another figure differs from it by more than their errors, and by enough to matter."""
        difference = abs(self.figure.value - other.figure.value)
        error = max(normal_quantile() * np.hypot(self.spread, other.spread), self.figure.error + other.figure.error)
        return difference > error and difference >= other.least()


@dataclass(frozen=True)
class Tile:
    """One indicator of an area: now, a year before, in the city, and what follows.

    Attributes:
        status: "normal", "watch", "alert", or "" where nothing can be judged; reasons say why, in words.
        period: the quarter or year that it is of, in words.
        change: on a year before, in words; standing: its place in the city, "" where none can be told.
        past: the last quarters and their values, oldest first; None for one without.
        weight: its largest difference, from the year before or the city, by the least one that counts.
        beside: another indicator that must be read with it, in words, "" where there is none.
        behind: the district that stands worst to its city, in words; "" for a district, or where none is worse.
    """

    about: Indicator
    now: Known
    period: str
    change: str
    status: str
    reasons: tuple[str, ...]
    standing: str
    past: tuple[tuple[str, float | None], ...]
    weight: float
    beside: str
    behind: str

    @property
    def rank(self) -> tuple[int, float]:
        """Alerts first, then what differs most."""
        return (-STATUS.index(self.status) if self.status else 1, -self.weight)


@dataclass(frozen=True)
class Page:
    """The one page of an area.

    Attributes:
        tiles: in the order asked for.
        peers: the same indicators of every area of the city, one row an area; None where nothing is recorded.
        districts: the first of them by district, and how each stands to the city, for a small tile map.
        missing: what is not there, in words.
    """

    study: Study
    tiles: tuple[Tile, ...]
    peers: Protected | None
    districts: tuple[Mapping[str, Any], ...]
    missing: tuple[str, ...]
    targets: bool

    @property
    def first(self) -> Tile:
        """The tile that matters most; the first one where none is known."""
        known = [one for one in self.tiles if one.now.figure.state != MISSING]
        return min(known, key=lambda one: one.rank, default=self.tiles[0])

    @property
    def headline(self) -> str:
        """The indicator that the index shows: that of the first sentence."""
        return self.first.about.key

    def show(self) -> None:
        """Show the tiles, what to look at, what is missing, and where the evidence is."""
        from IPython.display import display

        language, study = self.study.language, self.study
        about = self.tiles[0].about
        map_words = {"name": about.name[language], "period": terms.quarter(study.quarter, language)}
        content = {
            "title": terms.text("overview.title", language, area=study.area_name),
            "tiles": [self._tile(one) for one in self.tiles],
            "rule": terms.text("overview.rule_targets" if self.targets else "overview.rule", language),
            "advice": self._advice(),
            "missing": list(self.missing),
            "map": [dict(one) for one in self.districts],
            "map_title": terms.text("overview.map_title", language, **map_words),
        }
        lines = [f"{one['name']} {one['value']} {one['change']} {one['standing']}" for one in content["tiles"]]
        display(Block(TILES, content, (*lines, content["rule"], *(one["text"] for one in content["advice"]))))

    def _tile(self, tile: Tile) -> dict[str, Any]:
        language = self.study.language
        ends = [terms.quarter(tile.past[at][0], language) for at in (0, -1)] if tile.past else []
        return {
            "name": tile.about.name[language],
            "value": in_unit(tile.now.figure, language),
            **{name: getattr(tile, name) for name in ("change", "standing", "beside", "status")},
            "status_words": terms.text(f"overview.status_{tile.status}", language) if tile.status else "",
            "past": [value for _, value in tile.past],
            "past_words": terms.text("overview.past", language, first=ends[0], last=ends[1]) if ends else "",
        }

    def _advice(self) -> list[dict[str, str]]:
        language, found = self.study.language, []
        links = {one["notebook"]: one for one in self.study.links}
        for tile in sorted((one for one in self.tiles if one.reasons or one.behind), key=lambda one: one.rank):
            reasons = ("，" if language == "zh" else ", ").join([*tile.reasons, *filter(None, [tile.behind])])
            words = {"name": tile.about.name[language], "value": in_unit(tile.now.figure, language)}
            words |= {"reasons": reasons, "advice": tile.about.advice.get(language, "")}
            link = links.get(tile.now.notebook, {})
            text = terms.text("overview.advice", language, **words).strip()
            found.append({"text": text, "href": link.get("href", ""), "title": link.get("title", "")})
        return found[:MOST_ADVICE]

    def say(self) -> None:
        """Say the three indicators that matter most, each in a sentence of its own; keep the first for the index."""
        language = self.study.language
        known = [one for one in self.tiles if one.now.figure.state != MISSING]
        for tile in sorted(known, key=lambda one: one.rank)[:MOST_SAID]:
            clauses = (one for one in (tile.change, tile.standing, tile.beside) if one)
            words = {
                "name": tile.about.name[language],
                "period": tile.period,
                "value": in_unit(tile.now.figure, language),
                "more": "".join(terms.text("overview.clause", language, words=one) for one in clauses),
            }
            bound = "" if tile.now.shown else "_bound"
            self.study.say(f"overview.sentence{bound}", **{key: SafeSentence(MAKER, one) for key, one in words.items()})
        if not known:
            period = terms.quarter(self.study.asked, language)
            self.study.say("overview.nothing", period=SafeSentence(MAKER, period))
        self.study.keep(**{self.headline: self.first.now.figure})


def page(study: Study, *, tiles: Sequence[str]) -> Page:
    """The one page of the area that a study looks at.

    Args:
        tiles: keys of the catalogue, in order.

    Returns:
        Page.

    Raises:
        ParameterError: an indicator that the catalogue does not know.
        DataError: a target without an indicator or a number.
    """
    wanted = [indicators.get(name) for name in tiles]
    now = study.results()
    earlier = [study.results(quarter).records() for quarter in reversed(study.quarters(5)[:-1])]
    parts = [one for one in (now.records(), *earlier) if len(one)]
    records = pd.concat(parts or [now.records()], ignore_index=True).drop_duplicates(["indicator", "area", "quarter"])
    known = {(one["indicator"], one["area"], one["quarter"]): one for one in records.to_dict("records")}
    seen = [_Seen(study, one, known) for one in wanted]
    targets = _targets()
    missing = [
        *study.reports.notes(study.language),
        *([now.found.summary(study.language)] if now.found.missing else []),
    ]
    whole = records[records["area"].eq(study.own_city) & records["quarter"].eq(study.quarter)]
    left_out = dict.fromkeys(code for codes in whole["absent"] if isinstance(codes, list) for code in codes)
    if left_out and not study.is_city:
        names = terms.listed((areas.get(code).name(study.language) for code in left_out), study.language)
        missing.append(terms.text("overview.city_without", study.language, names=names))
    judged = any((one.key, area) in targets for one in wanted for area in (study.area.code, ""))
    made = tuple(one.tile(targets) for one in seen)
    return Page(study, made, _peers(study, records, list(tiles)), seen[0].map(), tuple(missing), judged)


def _peers(study: Study, records: pd.DataFrame, tiles: list[str]) -> Protected | None:
    """The tiles' indicators of the city and each of its districts in this quarter."""
    listed = [study.own_city, *(one.code for one in areas.districts(study.own_city))]
    wanted = records["quarter"].eq(study.quarter) & records["area"].isin(listed) & records["indicator"].isin(tiles)
    beside = records[wanted]
    if beside.empty:
        return None
    order = pd.DataFrame({"tile": beside["indicator"].map(tiles.index), "at": beside["area"].map(listed.index)})
    beside = beside.loc[order.sort_values(["tile", "at"], kind="stable").index]
    results = Provenance(read for read in job_provenance().reads if read.source == "result")  # protected already
    title = terms.text("overview.peers", study.language)
    return from_records(beside, title=title, by="area", language=study.language, provenance=results)


@dataclass(frozen=True)
class _Seen:
    """One indicator around an area, as the results recorded it."""

    study: Study
    about: Indicator
    records: Mapping[tuple[str, str, str], Mapping[str, Any]]

    def known(self, area: str, back: int = 0, about: Indicator | None = None) -> Known:
        """What was recorded of an area, some quarters ago; "missing" where nothing was."""
        about = about or self.about
        quarter = str(pd.Period(self.study.quarter, freq="Q") - back)
        one = self.records.get((about.key, area, quarter))
        if one is None:
            return Known(made_figure(Measure(about.key, "number"), None, MISSING))
        low, high = (np.nan if pd.isna(one[end]) else float(one[end]) for end in ("low", "high"))
        return Known(recorded_figure(one), low, high, one["notebook"])

    @property
    def sign(self) -> int:
        return {"up": 1, "down": -1}.get(self.about.better, 0)

    @property
    def rated(self) -> bool:
        """Whether areas can be compared: a district's sum is no better or worse than its city's."""
        return bool(self.about.denominator["zh"])

    @property
    def districts(self) -> dict[str, Known]:
        """Those of the city whose figure is shown, by code."""
        found = {one.code: self.known(one.code) for one in areas.districts(self.study.own_city)}
        return {code: one for code, one in found.items() if one.shown}

    def text(self, key: str, **words: object) -> str:
        return terms.text(f"overview.{key}", self.study.language, **words)

    def words(self, one: Known) -> str:
        return in_unit(one.figure, self.study.language)

    def worse(self, one: Known, other: Known) -> bool:
        """Whether a figure is worse than another beyond their errors, and by enough to matter."""
        return one.apart(other) and self.sign * (one.figure.value - other.figure.value) < 0

    def tile(self, targets: Mapping[tuple[str, str], float]) -> Tile:
        study, area = self.study, self.study.area.code
        now, before, city = self.known(area), self.known(area, back=4), self.known(study.own_city)
        change = self.change(now.figure, before.figure)
        others = {change: before} | ({self.beside_city(now): city} if self.rated and area != study.own_city else {})
        target = targets.get((self.about.key, area), targets.get((self.about.key, "")))
        status, reasons = self.judged(now, others, target)
        own = {
            quarter: one for (name, of, quarter), one in self.records.items() if (name, of) == (self.about.key, area)
        }
        values = {quarter: one["value"] for quarter, one in own.items() if one["state"] == SHOWN}
        compared = [
            one for one in (before, city if self.rated else before) if one.shown and now.shown and now.apart(one)
        ]
        year = terms.text("overview.year", study.language, year=study.quarter[:4])
        return Tile(
            self.about,
            now,
            year if self.about.yearly else terms.quarter(study.quarter, study.language),
            change,
            status,
            tuple(reasons),
            self.standing(now),
            past(values, study.quarter),
            max(
                (abs(now.figure.value - one.figure.value) / one.least() for one in compared if one.least()), default=0.0
            ),
            self.beside(),
            self.behind(city) if study.is_city else "",
        )

    def judged(self, now: Known, others: Mapping[str, Known], target: float | None) -> tuple[str, list[str]]:
        """Its status by the printed rule, and why.

        Args:
            others: figures that it is held against, by what is said where it is worse.
        """
        if not (now.shown and self.sign):
            return "", []
        if target is None:
            worse = [words for words, one in others.items() if one.shown and self.worse(now, one)]
            judged = any(one.shown for one in others.values())
            return STATUS[len(worse)] if judged else "", worse
        if self.sign * (now.figure.value - target) >= 0:
            return "normal", []
        beyond = not now.has_interval or (now.high < target if self.sign > 0 else now.low > target)
        shown = made_figure(Measure("target", self.about.unit, of=("", "")), target, SHOWN)
        return "alert" if beyond else "watch", [self.text("below_target", target=in_unit(shown, self.study.language))]

    def change(self, now: Figure, before: Figure) -> str:
        """The change on a year in words: points of a share, else in per cent."""
        language = self.study.language
        if now.state != SHOWN or before.state != SHOWN:
            return ""
        if now.unit == "share":
            change = (now - before).words(language)
        elif (now - before).state == LEVEL or not before.value:
            change = terms.text("labels.nearly_unchanged", language)
        else:
            growth = now.value / before.value - 1
            change = self.text("grew" if growth > 0 else "fell", size=terms.percent(abs(growth), language))
        return self.text("on_last_year" if self.about.yearly else "on_year", change=change)

    def standing(self, now: Known) -> str:
        """Its place among the city's districts where the intervals allow one, else how it stands to the city."""
        if not self.rated or not now.shown:
            return ""
        peers = self.districts
        if self.study.is_city:
            if len(peers) < 2:
                return ""
            ordered = sorted(peers.values(), key=lambda one: one.figure.value)
            return self.text("districts", low=self.words(ordered[0]), high=self.words(ordered[-1]))
        others = [one for code, one in peers.items() if code != self.study.area.code]
        if self.sign and len(others) >= 2 and all(now.apart(one) for one in others):
            better = sum(self.sign * (one.figure.value - now.figure.value) > 0 for one in others)
            every = len(areas.districts(self.study.own_city)) == len(peers)
            return self.text("place" if every else "place_reported", rank=better + 1, of=len(peers))
        return self.beside_city(now)

    def beside_city(self, now: Known) -> str:
        """How an area's figure stands to its city's, with that."""
        city = self.known(self.study.own_city)
        if not (now.shown and city.shown):
            return ""
        key = "like_city"
        if now.apart(city):
            key = "above_city" if now.figure.value > city.figure.value else "below_city"
        return self.text(key, city=self.words(city))

    def beside(self) -> str:
        """The indicator that must be read with it, such as rooms with somebody in post beside rooms; "" without."""
        other = indicators.get(self.about.beside) if self.about.beside else None
        found = self.known(self.study.area.code, about=other) if other else None
        if not found or found.figure.state == MISSING:
            return ""
        return self.text("beside", name=other.name[self.study.language], value=self.words(found))

    def behind(self, city: Known) -> str:
        """The district furthest behind its city, in words; "" where none is worse than the city."""
        if not (self.sign and self.rated and city.shown):
            return ""
        found = {code: one for code, one in self.districts.items() if self.worse(one, city)}
        if not found:
            return ""
        last = min(found, key=lambda code: self.sign * found[code].figure.value)
        return self.text("behind", area=areas.get(last).name(self.study.language), value=self.words(found[last]))

    def map(self) -> tuple[dict[str, Any], ...]:
        """Every district of the city on its tile, and whether it is better or worse than the city beyond the errors."""
        codes = [one.code for one in areas.districts(self.study.own_city)]
        if not set(codes) <= set(areas.TILES):
            return ()
        city, found = self.known(self.study.own_city), []
        for code in codes:
            one, (column, row) = self.known(code), areas.TILES[code]
            standing = "like" if one.shown else "missing"
            if one.shown and city.shown and self.sign and one.apart(city):
                standing = "worse" if self.worse(one, city) else "better"
            found.append(
                {
                    "name": areas.get(code).name(self.study.language),
                    "value": self.words(one),
                    "column": column + 1,
                    "row": row + 1,
                    "own": code == self.study.area.code,
                    "standing": standing,
                    "meaning": self.text(f"tile_{standing}"),
                }
            )
        return tuple(found)


def _targets() -> dict[tuple[str, str], float]:
    """The institute's own targets by indicator and area ("" for every area); none where it has set none.

    Raises:
        DataError: a column or a number is missing, naming the row. ParameterError: an unknown indicator or area.
    """
    file = paths.root() / "data" / TARGETS
    if not file.is_file():
        return {}
    frame = content(file).astype("str").fillna("")
    absent = [name for name in TARGET_COLUMNS if name not in frame]
    if absent:
        raise terms.error(DataError, "overview.target_columns", file=TARGETS, columns=", ".join(absent))
    found = {}
    for place, row in enumerate(frame.to_dict("records"), start=2):
        value = pd.to_numeric(row["target"], errors="coerce")
        if pd.isna(value):
            raise terms.error(DataError, "overview.target_number", file=TARGETS, row=place, value=row["target"])
        area = areas.get(row["area"]).code if row["area"] else ""
        found[indicators.get(row["indicator"]).key, area] = float(value)
    cited = "；".join(dict.fromkeys(row for row in frame["source"] if row))
    sharing.note_read(Read("files", str(file), source="own" if cited else "unknown", title=cited or TARGETS))
    return found


def published(language: str) -> Result:
    """Every figure that the two cities published, with its date and source; bounds stay bounds."""
    facts = areas.reference("published_facts")
    frame = talent.published_figures(facts, language).rename(columns={"stated": "published_figure"})
    return Result(
        frame.assign(entry=range(1, len(frame) + 1)),
        ("entry", "area", "period", "indicator"),
        (Measure("published_figure", "text"), Measure("source", "text")),
        None,
        provenance_of(facts),
        title="overview.published",
    )
