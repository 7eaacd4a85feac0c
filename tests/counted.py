"""What the briefs' sentences must say of the demo registers: a count with pandas alone, rounded as the briefs round.

Nothing of the library is used. Each `Sentence` names the brief, a word by which the sentence is found, its subject and
period, and every figure with its unit; whoever checks it takes these out and looks for a number that is left.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import pandas as pd
from scipy import stats

CITY, DISTRICTS = "320600", ("320612", "320613", "320614", "320623", "320681", "320682", "320685")
QUARTER, CENSUS = "2025Q4", "resident_population_2020-11-01"
FLOORS = {"social_worker_share": 0.75, "labour_share": 0.80}  # the province's lower bounds, `other_facts.csv`
NUMBER = re.compile(r"\d[\d,.]*%?")
NO_FIGURE = re.compile(
    r"\d{4}年(\d+月\d+日)?|（1为只有一家）|(已报送的|全市)\d个|第\d位"
)  # periods, keys of reading, places
SUPERVISORS = ("supervisor", "supervisor_trainee")


def fives(count: float) -> int:
    return 5 * math.floor(count / 5 + 0.5)


@dataclass(frozen=True)
class Sentence:
    """One finding of a brief: `about` is a word by which it is found.

    `figures` are all that it must say in numbers; `beside` what it may say, such as the figures of the city.
    """

    notebook: str
    about: str
    subject: tuple[str, ...]
    figures: tuple[str, ...]
    beside: tuple[str, ...] = ()


@dataclass(eq=False)
class Registers:
    """The demo registers and the reference lists of a project home."""

    home: Path
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.tables:
            demo, listed = self.home / "data" / "demo" / f"{name}.parquet", self.reference / f"{name}.csv"
            made = pd.read_parquet(demo) if demo.is_file() else pd.read_csv(listed, dtype=str, encoding="utf-8-sig")
            self.tables[name] = made
        return self.tables[name]

    @property
    def reference(self) -> Path:
        own = self.home / "data" / "reference"
        return own if own.is_dir() else Path(__file__).parents[1] / "data" / "reference"

    def name(self, area: str) -> str:
        return self["districts"].set_index("code")["name_zh"][area]

    def hosted(self, name: str, column: str) -> pd.Series:
        """The district in whose bounds each row of a reference list lies."""
        return self[name][column].map(self["districts"].set_index("code")["host"])


@dataclass(frozen=True)
class Counted:
    """One area as its briefs see it: the quarter that is there, and the districts that reported it."""

    registers: Registers
    area: str
    quarter_of: str = ""  # another quarter than the newest that is there
    without: tuple[str, ...] = ()  # districts that are left out of their city

    @property
    def codes(self) -> tuple[str, ...]:
        return DISTRICTS if self.area == CITY else (self.area,)

    @cached_property
    def reported(self) -> pd.DataFrame:
        every = self.registers["reporting"]
        return every[every["reported"] & every["district"].isin(self.codes) & every["quarter"].le(QUARTER)]

    @property
    def quarter(self) -> str:
        return self.quarter_of or self.reported["quarter"].max()

    @property
    def districts(self) -> list[str]:
        there = self.reported.loc[self.reported["quarter"] == self.quarter, "district"]
        return [one for one in there if one not in self.without]

    @property
    def name(self) -> str:
        return self.registers.name(self.area)

    @property
    def subject(self) -> tuple[str, str]:
        return self.name, quarter_words(self.quarter)

    def end(self, back: int = 0) -> pd.Timestamp:
        return (pd.Period(self.quarter, freq="Q") - back).end_time.normalize()

    def residents(self, codes: list[str] | tuple[str, ...]) -> float:
        census = self.registers["population_2020"]
        parts = self.registers.hosted("population_2020", "code").isin(codes)
        return census.loc[parts, CENSUS].astype(float).sum()

    # workers

    @cache  # noqa: B019
    def in_post(self, back: int = 0) -> pd.DataFrame:
        workers, day = self.registers["workers"], self.end(back)
        there = workers["entered"].le(day) & ~workers["left"].le(day)
        return workers[there & workers["district"].isin(self.districts)]

    @cache  # noqa: B019
    def certified(self, back: int = 0) -> set[str]:
        changes = self.registers["worker_changes"]
        states = (
            changes[changes["date"] <= self.end(back)].sort_values("date").drop_duplicates("worker_id", keep="last")
        )
        holders = states.loc[~states["certificate"].isin(["none", "unknown"]), "worker_id"]
        return set(holders) & set(self.in_post(back)["worker_id"])

    @cache  # noqa: B019
    def turnover(self, back: int = 0) -> tuple[int, float]:
        """Leavers of four quarters, and the headcount that is average over them."""
        heads = [len(self.in_post(back + at)) for at in range(5)]
        workers = self.registers["workers"]
        left = workers["left"].gt(self.end(back + 4)) & workers["left"].le(self.end(back))
        leavers = int((left & workers["district"].isin(self.districts)).sum())
        return fives(leavers), fives((heads[0] / 2 + sum(heads[1:4]) + heads[4] / 2) / 4)

    def supervised(self) -> str:
        """Supervisors in post by the certified in post; a bound where they are fewer than ten."""
        titled, certified = self.registers["talent"], fives(len(self.certified()))
        titled = titled[titled["title"].isin(SUPERVISORS) & titled["awarded"].le(self.end())]
        people = len(set(titled["person_id"]) & set(self.in_post()["worker_id"]))
        return percent(fives(people) / certified) if people >= 10 else f"不足{math.ceil(1e4 / certified) / 10:.1f}%"

    # stations

    @cache  # noqa: B019
    def stations(self, level: str, back: int = 0) -> pd.DataFrame:
        every, day = self.registers["stations"], self.end(back)
        there = every["opened"].le(day) & ~every["closed"].le(day) & every["district"].isin(self.districts)
        return every[there & (every["level"].eq(level) if level else True)]

    def listed(self, name: str) -> int:
        """Towns, or villages without those on no legal list, whose codes say so."""
        rows = self.registers[name]
        mine = self.registers.hosted(name, "county_code").isin(self.districts)
        legal = rows["village_code"].str[9].isin(list("0123")) if name == "villages" else True
        return int((mine & legal).sum())

    # examinations

    @cache  # noqa: B019
    def candidates(self, year: int) -> pd.DataFrame:
        exams = self.registers["exams"]
        mine = exams["district"].isin(self.codes) & exams["exam_date"].dt.year.eq(year) & ~exams["stock"]
        return exams[mine & exams["exam_date"].le(self.end())]

    # services and contracts

    def outcomes(self, back: int = 0) -> tuple[int, int]:
        services = self.registers["services"]
        quarter = str(pd.Period(self.quarter, freq="Q") - back)
        rows = services[services["district"].isin(self.districts) & services["quarter"].eq(quarter)]
        return fives(rows["outcome_numerator"].sum()), fives(rows["outcome_denominator"].sum())

    def contracts(self) -> pd.DataFrame:
        every = self.registers["procurement"]
        signed = every["signed"].gt(self.end(4)) & every["signed"].le(self.end())
        return every[signed & every["district"].isin(self.codes)]


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def number(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}".replace("-", "−")


def points(now: float, before: float, error: float = 0.0) -> str:
    """The change of a share in points; nearly unchanged where rounding may have made it."""
    change = now - before
    if abs(change) <= error:
        return "基本持平"
    return f"{'上升' if change > 0 else '下降'}{abs(100 * change):.1f}个百分点"


def grown(now: float, before: float) -> str:
    change = now / before - 1
    return f"{'增长' if change > 0 else '下降'}{percent(abs(change))}"


def wilson(part: int, whole: int) -> str:
    low, high = stats.binomtest(part, whole).proportion_ci(method="wilson")
    return f"95%区间{100 * low:.1f}至{100 * high:.1f}%"


def poisson(count: int, whole: float) -> str:
    low, high = stats.chi2.ppf(0.025, 2 * count) / 2, stats.chi2.ppf(0.975, 2 * count + 2) / 2
    return f"95%区间{100 * low / whole:.1f}至{100 * high / whole:.1f}%"


def ratio_of(now: int, before: int) -> str:
    """The interval of the ratio of two Poisson counts, from that of the share of the first in both."""
    shares = stats.binomtest(now, now + before).proportion_ci(method="exact")
    low, high = (number(round(100 * (one / (1 - one) - 1), 1) + 0.0, 1) for one in shares)
    return f"变化的95%区间{low}至{high}%"


def faults(said: list[str], sentence: Sentence) -> list[str]:
    """What of a sentence a brief's findings do not say, or say beyond it."""
    text = next((one for one in said if sentence.about in one), "")
    if not text:
        return [f"nothing is said of {sentence.about}"]
    missing = [f"{part} is not in {text}" for part in (*sentence.subject, *sentence.figures) if part not in text]
    rest = text
    for part in sorted((*sentence.figures, *sentence.beside), key=len, reverse=True):
        rest = rest.replace(part, "")
    rest = NO_FIGURE.sub("", rest)
    return [*missing, *(f"nothing counted gives {number} in {text}" for number in NUMBER.findall(rest))]


def quarter_words(quarter: str) -> str:
    return f"{quarter[:4]}年{'一二三四'[int(quarter[-1]) - 1]}季度"


def share_and_change(now: tuple[int, int], before: tuple[int, int]) -> tuple[str, str]:
    """A share of two counts in fives, and its change on another."""
    error = sum((2.5 + 2.5 * part / whole) / whole for part, whole in (now, before))  # what rounding may have moved
    shares = [part / whole for part, whole in (now, before)]
    return percent(shares[0]), points(*shares, error)


def sentences(registers: Registers, area: str) -> Iterator[Sentence]:
    """Those findings of an area's technical briefs that a count can give."""
    own = Counted(registers, area)
    yield from (retention(own), *network(own), *ladder(own), *services(own))


def retention(own: Counted) -> Sentence:
    now = own.turnover()
    figures = (*share_and_change(now, own.turnover(4)), poisson(*now))
    return Sentence("03_retention_drivers", "年离职率", own.subject, figures)


def network(own: Counted) -> Iterator[Sentence]:
    towns, rooms = own.stations("town"), own.stations("village")
    empty = [int((one["posts_filled"] == 0).sum()) for one in (towns, rooms)]
    lists = [own.listed(name) for name in ("towns", "villages")]
    covered = [towns["town"].nunique(), rooms["village"].nunique()]
    figures = [percent(n / of) for n, of in zip(covered, lists, strict=True)]
    figures.append(percent((covered[1] - empty[1]) / lists[1]))
    for unit, room, *n in zip(("镇（街道）", "村（社区）"), ("社工站", "社工室"), lists, covered, empty, strict=True):
        listed, there, nobody = map(number, n)
        figures += [f"{listed}个{unit}中{there}个", f"{there}个{unit}{room}中{nobody}个"]
    yield Sentence("04_station_coverage", "社工室覆盖率", own.subject, tuple(figures))
    every = own.stations("")
    every = every if own.area == CITY else every[every["level"] != "city"]  # the city's own centre stands in a district
    posts, filled = (every[name].sum() for name in ("posts", "posts_filled"))
    vacant = percent(fives(posts - filled) / fives(posts))
    yield Sentence("04_station_coverage", "空岗率", own.subject, (f"{number(posts)}个", vacant))
    community, residents = own.in_post()["kind"].eq("community").sum(), own.residents(own.districts)
    per = [f"{number(1e4 * fives(n) / residents, 1)}人" for n in (community, len(own.certified()))]
    yield Sentence("04_station_coverage", "每万常住人口有在岗社区工作者", own.subject, (*per, own.supervised()))


def ladder(own: Counted) -> Iterator[Sentence]:
    year = int(own.quarter[:4])
    sat = [own.candidates(one) for one in (year, year - 1)]
    passed, taken = ([fives(one[name].sum()) for one in sat] for name in ("passed", "sat"))
    now, before = zip(passed, taken, strict=True)
    figures = (
        f"{number(passed[0])}人",
        grown(*passed),
        ratio_of(*passed),
        *share_and_change(now, before),
        wilson(*now),
    )
    yield Sentence("05_talent_pipeline", "职业资格考试通过", (own.name, f"{year}年"), figures)
    held = [(fives(len(own.certified(back))), fives(len(own.in_post(back)))) for back in (0, 4)]
    exams = own.registers["exams"]
    passers = exams[exams["district"].isin(own.districts) & exams["passed"] & ~exams["stock"]]
    passers = passers[passers["exam_date"].le(own.end())].drop_duplicates("candidate_id")
    placed = fives(passers["worker_id"].isin(own.in_post()["worker_id"]).sum()) / fives(len(passers))
    figures = (f"{number(held[0][1])}人", *share_and_change(*held), wilson(*held[0]), percent(placed), own.supervised())
    yield Sentence("05_talent_pipeline", "证书情况已知者持证", own.subject, figures)


def services(own: Counted) -> Iterator[Sentence]:
    now = own.outcomes()
    figures = (f"{number(now[1])}例", *share_and_change(now, own.outcomes(4)), wilson(*now))
    yield Sentence("07_services", "服务达成率", own.subject, figures)
    bought = own.contracts()
    money = bought["amount"].sum()
    share = bought.groupby("provider")["amount"].sum() / money
    missed = pd.concat([bought[name] < floor for name, floor in FLOORS.items()], axis=1).any(axis=1)
    per = number(money / own.residents(own.codes), 2)
    figures = (f"{number(money / 10_000, 1 if money < 10_000_000 else 0)}万元", f"人均{per}元", f"合同{len(bought)}份")
    figures += (f"集中度{number((share**2).sum(), 2)}", f"合同{int(missed.sum())}份")
    yield Sentence("07_services", "购买服务", own.subject, figures)


def one_page(registers: Registers, area: str) -> Iterator[Sentence]:
    """What the one page says of each of its indicators; its place in the city is left to other tests."""
    own = Counted(registers, area)
    others = [Counted(registers, code) for code in (CITY, *DISTRICTS)]
    others = [one for one in others if own.quarter in set(one.reported["quarter"])]
    late = tuple(one.area for one in others if one.area != CITY and one.reported["quarter"].max() < QUARTER)
    others.append(Counted(registers, CITY, without=late))
    every = [{name: said for name, _, said in tiles(replace(one, quarter_of=own.quarter))} for one in others]
    for about, subject, words in tiles(own):
        yield Sentence("06_quarterly_overview", about, subject, words, tuple(said[about][0] for said in every))


def tiles(own: Counted) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Each indicator of the one page: its name, subject and period, its figure and change."""
    yield "年离职率", own.subject, share_and_change(own.turnover(), own.turnover(4))
    held = [(fives(len(own.certified(back))), fives(len(own.in_post(back)))) for back in (0, 4)]
    yield "在岗持证率", own.subject, share_and_change(*held)
    listed = own.listed("villages")
    covered = [own.stations("village", back)["village"].nunique() / listed for back in (0, 4)]
    staffed = own.stations("village")
    staffed = percent(staffed.loc[staffed["posts_filled"] > 0, "village"].nunique() / listed)
    yield "社工室覆盖率", own.subject, (percent(covered[0]), points(*covered), staffed)
    year = int(own.quarter[:4])
    passed = [fives(own.candidates(one)["passed"].sum()) for one in (year, year - 1)]
    yield "考试通过人数", (own.name, f"{year}年"), (f"{number(passed[0])}人", grown(*passed))
    yield "服务达成率", own.subject, share_and_change(own.outcomes(), own.outcomes(4))
