"""The one page of an area: five indicators beside last year, the city and its own targets, from saved results alone.

page = overview.page(study, tiles=["turnover", "certified_in_post"])
page.show()
page.say()
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from institute_lib.runs import compare
from institute_lib.runs.plan import notebook_title
from institute_lib.sharing import Read
from institute_lib.study import Earlier, Study
from institute_lib.tables.files import content

HISTORY = 12  # quarters of a sparkline
LEAST = {"share": 0.01, "other": 0.05}  # a difference that counts: one point of a share, a twentieth of other figures
STATUS = ("normal", "watch", "alert")
MOST_ADVICE = 2
TARGETS = "targets.csv"
TARGET_COLUMNS = ("indicator", "area", "target", "source")


@dataclass(frozen=True)
class Known:
    """A recorded figure with the limits of its 95 % interval, where it has one."""

    figure: Figure
    low: float
    high: float
    notebook: str = ""

    @property
    def spread(self) -> float:
        """The standard error that its interval implies; half of what rounding may have moved it where it has none."""
        known = np.isfinite(self.low) and np.isfinite(self.high)
        return (self.high - self.low) / (2 * normal_quantile()) if known else self.figure.error / 2


@dataclass(frozen=True)
class Tile:
    """One indicator of an area: now, a year before, in the city, and what follows.

    Attributes:
        status: "normal", "watch", "alert", or "" where nothing can be judged; reasons say why, in words.
        standing: its place in the city in words, "" where none can be told.
        past: the last quarters and their values, oldest first; None for one without.
        weight: its largest difference, from the year before or the city, by the least one that counts.
        beside: another indicator that must be read with it, in words, "" where there is none.
        behind: the district that stands worst to its city, in words; "" for a district, or where none is worse.
    """

    indicator: str
    now: Known
    change: str
    status: str
    reasons: tuple[str, ...]
    standing: str
    past: tuple[tuple[str, float | None], ...]
    weight: float
    beside: str = ""
    behind: str = ""

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
    links: tuple[Mapping[str, str], ...]
    targets: bool

    def show(self) -> None:
        """Show the tiles, what to look at, what is missing, and where the evidence is."""
        from IPython.display import display

        language = self.study.language
        content = {
            "tiles": [self._tile(one) for one in self.tiles],
            "rule": terms.text("overview.rule_targets" if self.targets else "overview.rule", language),
            "advice": self._advice(),
            "missing": list(self.missing),
            "links": [dict(one) for one in self.links],
            "map": [dict(one) for one in self.districts],
            "map_title": terms.text(
                "overview.map_title",
                language,
                name=indicators.get(self.tiles[0].indicator).name[language],
                period=terms.quarter(self.study.quarter, language),
            ),
        }
        lines = [f"{one['name']} {one['value']} {one['change']} {one['standing']}" for one in content["tiles"]]
        display(Block(TILES, content, (*lines, content["rule"], *(one["text"] for one in content["advice"]))))

    def _tile(self, tile: Tile) -> dict[str, Any]:
        language = self.study.language
        ends = [terms.quarter(tile.past[at][0], language) for at in (0, -1)] if tile.past else []
        return {
            "name": indicators.get(tile.indicator).name[language],
            "value": _in_unit(tile.now.figure, language),
            "change": tile.change,
            "standing": tile.standing,
            "beside": tile.beside,
            "status": tile.status,
            "status_words": terms.text(f"overview.status_{tile.status}", language) if tile.status else "",
            "past": [value for _, value in tile.past],
            "past_words": terms.text("overview.past", language, first=ends[0], last=ends[1]) if ends else "",
        }

    def _advice(self) -> list[dict[str, str]]:
        language, found = self.study.language, []
        titles = {one["notebook"]: one for one in self.links}
        for tile in sorted((one for one in self.tiles if one.reasons or one.behind), key=lambda one: one.rank):
            known = indicators.get(tile.indicator)
            reasons = [*tile.reasons, *filter(None, [tile.behind])]
            words = {"name": known.name[language], "value": _in_unit(tile.now.figure, language)}
            words |= {"reasons": _joined(reasons, language), "advice": known.advice.get(language, "")}
            text = terms.text("overview.advice", language, **words)
            link = titles.get(tile.now.notebook, {})
            found.append({"text": text.strip(), "href": link.get("href", ""), "title": link.get("title", "")})
        return found[:MOST_ADVICE]

    def say(self) -> None:
        """Say the three indicators that matter most, each in a sentence of its own; keep the first for the index."""
        known = [one for one in self.tiles if one.now.figure.state != MISSING]
        for tile in sorted(known, key=lambda one: one.rank)[:3]:
            words = {
                "name": _safe(indicators.get(tile.indicator).name[self.study.language]),
                "period": _safe(terms.quarter(self.study.quarter, self.study.language)),
                "value": _safe(_in_unit(tile.now.figure, self.study.language)),
                "more": _safe("".join(self._clause(one) for one in (tile.change, tile.standing, tile.beside) if one)),
            }
            self.study.say("overview.sentence", **words)
        if not known:
            self.study.say("overview.nothing", period=_safe(terms.quarter(self.study.asked, self.study.language)))
        first = self.tiles[0]
        self.study.keep(**{first.indicator: first.now.figure})

    def _clause(self, words: str) -> str:
        return terms.text("overview.clause", self.study.language, words=words)


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
    records = _history(study, now)
    targets = _targets()
    made = tuple(
        replace(
            _tile(study, records[records["indicator"] == one.key], one, targets), beside=_beside(study, records, one)
        )
        for one in wanted
    )
    listed = [study.own_city, *(one.code for one in areas.districts(study.own_city))]
    beside = records[records["quarter"].eq(study.quarter) & records["area"].isin(listed)]
    beside = beside[beside["indicator"].isin(tiles)]
    order = pd.DataFrame({"tile": beside["indicator"].map(list(tiles).index), "at": beside["area"].map(listed.index)})
    beside = beside.loc[order.sort_values(["tile", "at"], kind="stable").index]
    peers = None
    if len(beside):
        about = {"by": "area", "language": study.language, "provenance": _of_results()}
        peers = from_records(beside, title=terms.text("overview.peers", study.language), **about)
    districts = _tile_map(study, records[records["indicator"] == wanted[0].key], wanted[0])
    missing = [*study.reports.notes(study.language)]
    missing += [now.found.summary(study.language)] if now.found.missing else []
    judged = any((one.key, area) in targets for one in wanted for area in (study.area.code, ""))
    return Page(study, made, peers, districts, tuple(missing), _links(study, now), judged)


def _beside(study: Study, records: pd.DataFrame, indicator: Indicator) -> str:
    """The indicator that must be read with another, such as rooms with somebody in post beside rooms; "" without."""
    if not indicator.beside:
        return ""
    other = indicators.get(indicator.beside)
    found = _known(records[records["indicator"] == other.key], other, study.area.code, study.quarter)
    if found.figure.state == MISSING:
        return ""
    words = {"name": other.name[study.language], "value": _in_unit(found.figure, study.language)}
    return terms.text("overview.beside", study.language, **words)


def _of_results() -> Provenance:
    """What the page was read from: results alone, which are protected where they were computed."""
    return Provenance(read for read in job_provenance().reads if read.source == "result")


def _history(study: Study, now: Earlier) -> pd.DataFrame:
    """The records of this quarter's results, and of the last year's for the quarters that these do not speak of."""
    parts = [now.records()]
    for quarter in reversed(study.quarters(5)[:-1]):
        parts.append(study.results(quarter).records())
    known = pd.concat([one for one in parts if len(one)] or parts[:1], ignore_index=True)
    return known.drop_duplicates(["indicator", "area", "quarter"])


def _known(records: pd.DataFrame, indicator: Indicator, area: str, quarter: str) -> Known:
    """What was recorded of an area and quarter, "missing" where nothing was."""
    row = records[(records["area"] == area) & (records["quarter"] == quarter)]
    if row.empty:
        return Known(made_figure(Measure(indicator.key, "number"), None, MISSING), np.nan, np.nan)
    one = row.iloc[0]
    low, high = (np.nan if pd.isna(one[end]) else float(one[end]) for end in ("low", "high"))
    return Known(recorded_figure(one), low, high, one["notebook"])


def _tile(study: Study, records: pd.DataFrame, indicator: Indicator, targets: Mapping[tuple[str, str], float]) -> Tile:
    area, quarter, city, language = study.area.code, study.quarter, study.own_city, study.language
    now = _known(records, indicator, area, quarter)
    before = _known(records, indicator, area, str(pd.Period(quarter, freq="Q") - 4))
    whole = _known(records, indicator, city, quarter)
    sign = {"up": 1, "down": -1}.get(indicator.better, 0)
    target = targets.get((indicator.key, area), targets.get((indicator.key, "")))
    change = _change(now.figure, before.figure, language)
    reasons, status = [], ""
    rated = bool(indicator.denominator["zh"])  # a district's sum is no better or worse than its city's
    if now.figure.state == SHOWN and sign and target is not None:
        beyond = now.high < target if sign > 0 else now.low > target
        met = sign * (now.figure.value - target) >= 0
        no_interval = not (np.isfinite(now.low) and np.isfinite(now.high))
        status = "normal" if met else "alert" if beyond or no_interval else "watch"
        if not met:
            shown = made_figure(Measure("target", indicator.unit, of=("", "")), target, SHOWN)
            reasons.append(terms.text("overview.below_target", language, target=_in_unit(shown, language)))
    elif now.figure.state == SHOWN and sign:
        others = {"last_year": before} | ({"city": whole} if rated and area != city else {})
        known = {name: one for name, one in others.items() if one.figure.state == SHOWN}
        worse = [name for name, one in known.items() if _worse(now, one, sign)]
        status = STATUS[min(len(worse), 2)] if known else ""
        reasons += [change if name == "last_year" else _beside_city(now, whole, language) for name in worse]
    own = records[records["area"].eq(area) & records["state"].eq(SHOWN)]
    return Tile(
        indicator.key,
        now,
        change,
        status,
        tuple(reasons),
        _standing(study, records, indicator, now, sign),
        compare.past(dict(zip(own["quarter"], own["value"], strict=True)), quarter, HISTORY),
        max(_size(now, one) for one in ((before, whole) if rated else (before,))),
        behind=_behind(study, records, indicator, now, sign) if study.is_city else "",
    )


def _worse(one: Known, other: Known, sign: int) -> bool:
    """Whether a figure is worse than another beyond their errors, and by enough to matter."""
    return sign * (one.figure.value - other.figure.value) < 0 and _apart(one, other)


def _behind(study: Study, records: pd.DataFrame, indicator: Indicator, city: Known, sign: int) -> str:
    """The district furthest behind its city, in words; "" where none is worse than the city."""
    if not (sign and indicator.denominator["zh"] and city.figure.state == SHOWN):
        return ""
    codes = [one.code for one in areas.districts(study.own_city)]
    found = {code: _known(records, indicator, code, study.quarter) for code in codes}
    found = {code: one for code, one in found.items() if one.figure.state == SHOWN and _worse(one, city, sign)}
    if not found:
        return ""
    last = min(found, key=lambda code: sign * found[code].figure.value)
    words = {"area": areas.get(last).name(study.language), "value": _in_unit(found[last].figure, study.language)}
    return terms.text("overview.behind", study.language, **words)


def _apart(one: Known, other: Known) -> bool:
    """Whether two figures differ by more than their errors, and by enough to matter."""
    difference = abs(one.figure.value - other.figure.value)
    rounding = one.figure.error + other.figure.error
    beyond = difference > max(normal_quantile() * float(np.hypot(one.spread, other.spread)), rounding)
    return beyond and difference >= _least(one, other)


def _least(one: Known, other: Known) -> float:
    """The least difference from another figure that counts."""
    return LEAST["share"] if one.figure.unit == "share" else LEAST["other"] * abs(other.figure.value)


def _size(one: Known, other: Known) -> float:
    """A difference by the least that counts; 0 where the errors may have made it."""
    if one.figure.state != SHOWN or other.figure.state != SHOWN or not _apart(one, other):
        return 0.0
    return abs(one.figure.value - other.figure.value) / _least(one, other)


def _change(now: Figure, before: Figure, language: str) -> str:
    """The change on a year in words: points of a share, else in per cent."""
    if now.state != SHOWN or before.state != SHOWN:
        return ""
    if now.unit == "share":
        return terms.text("overview.on_year", language, change=(now - before).words(language))
    if (now - before).state == LEVEL or not before.value:
        return terms.text("overview.on_year", language, change=terms.text("labels.nearly_unchanged", language))
    growth = now.value / before.value - 1
    key = "overview.grew" if growth > 0 else "overview.fell"
    change = terms.text(key, language, size=terms.percent(abs(growth), language))
    return terms.text("overview.on_year", language, change=change)


def _standing(study: Study, records: pd.DataFrame, indicator: Indicator, now: Known, sign: int) -> str:
    """Its place among the city's districts where the intervals allow one, else how it stands to the city."""
    if not indicator.denominator["zh"] or now.figure.state != SHOWN:
        return ""
    language, quarter = study.language, study.quarter
    codes = [one.code for one in areas.districts(study.own_city)]
    peers = {code: _known(records, indicator, code, quarter) for code in codes}
    peers = {code: one for code, one in peers.items() if one.figure.state == SHOWN}
    if study.is_city:
        if len(peers) < 2:
            return ""
        ordered = sorted(peers.values(), key=lambda one: one.figure.value)
        ends = {name: _in_unit(ordered[at].figure, language) for name, at in (("low", 0), ("high", -1))}
        return terms.text("overview.districts", language, **ends)
    others = [one for code, one in peers.items() if code != study.area.code]
    if sign and len(others) >= 2 and all(_apart(now, one) for one in others):
        better = sum(sign * (one.figure.value - now.figure.value) > 0 for one in others)
        return terms.text("overview.place", language, rank=better + 1, of=len(others) + 1)
    city = _known(records, indicator, study.own_city, quarter)
    return _beside_city(now, city, language) if city.figure.state == SHOWN else ""


def _beside_city(now: Known, city: Known, language: str) -> str:
    """How an area's figure stands to its city's, with that."""
    key = "like_city"
    if _apart(now, city):
        key = "above_city" if now.figure.value > city.figure.value else "below_city"
    return terms.text(f"overview.{key}", language, city=_in_unit(city.figure, language))


def _tile_map(study: Study, records: pd.DataFrame, indicator: Indicator) -> tuple[dict[str, Any], ...]:
    """Every district of the city on its tile, and whether it is better or worse than the city beyond the intervals."""
    codes = [one.code for one in areas.districts(study.own_city)]
    if not set(codes) <= set(areas.TILES):
        return ()
    city = _known(records, indicator, study.own_city, study.quarter)
    sign = {"up": 1, "down": -1}.get(indicator.better, 0)
    found = []
    for code in codes:
        one = _known(records, indicator, code, study.quarter)
        known = one.figure.state == SHOWN
        standing = "like" if known else "missing"
        if known and sign and city.figure.state == SHOWN and _apart(one, city):
            standing = "better" if sign * (one.figure.value - city.figure.value) > 0 else "worse"
        column, row = areas.TILES[code]
        words = {"name": areas.get(code).name(study.language), "value": _in_unit(one.figure, study.language)}
        meaning = terms.text(f"overview.tile_{standing}", study.language)
        place = {"column": column + 1, "row": row + 1, "own": code == study.area.code}
        found.append({**words, **place, "standing": standing, "meaning": meaning})
    return tuple(found)


def _links(study: Study, now: Earlier) -> tuple[dict[str, str], ...]:
    """Where each technical brief is: of the area, or of its city where the area has none."""
    found = {}
    for area in (study.own_city, study.area.code):
        for notebook in now.found.around.get(area, {}):
            title = notebook_title(paths.notebooks() / f"{notebook}.ipynb", study.language)
            found[notebook] = {"notebook": notebook, "title": title, "href": f"../../{notebook}/{area}/brief.html"}
    return tuple(found[name] for name in sorted(found))


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


def _in_unit(figure: Figure, language: str) -> str:
    """A figure with its unit: 14.9%, 3,840人, 6.0元."""
    words = figure.words(language) if figure.state != MISSING else terms.text("overview.not_reported", language)
    key = f"unit_{figure.unit}"
    known = figure.state == SHOWN and key in terms.catalogue("overview")
    return terms.text(f"overview.{key}", language, figure=words) if known else words


def _joined(parts: Sequence[str], language: str) -> str:
    return ("，" if language == "zh" else ", ").join(parts)


def _safe(words: str) -> SafeSentence:
    return SafeSentence(MAKER, words)


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
