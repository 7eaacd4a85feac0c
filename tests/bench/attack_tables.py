"""What every table about persons tells, of all notebooks: an attacker who is stronger than any reader of the pages.

The notebooks' cells are run again where the briefs were made, and each result that is shown is taken with its true
counts and its protected view. Of each shown share and each figure per 10,000 the attacker is given the rounded
numerator and the rounded denominator themselves (its decimals, interval and chart only hint at them), of each bound
the rounded count that it is of, of each count its rounded value; and that a figure is shown, or a bound. He knows which
tables count the same, which rows, districts or levels add up, and which counts only grow or are part of others. All
that is asked of integer programs, one for each set of counts that hang together.
"""

import itertools
import pickle
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from institute_lib import paths, study
from institute_lib.disclosure import Protected
from institute_lib.disclosure.figures import ABOVE, BELOW, HIDDEN, MISSING, SHOWN
from institute_lib.disclosure.rules import FEWEST_VALUES, Counts, nearest_multiple
from institute_lib.disclosure.view import BASE, THRESHOLD
from institute_lib.result import Measure, Result
from tests.bench.attacker import Interval, Page, Program

NOTEBOOKS = ("04_station_coverage", "05_talent_pipeline", "07_services")
WHOLE, MOST = "total", 1_000_000  # no count here is larger
OTHERS = {"residents", "people", "without"}  # residents of the census are no persons of a register
PLACES = ("posts",)  # counts that are no persons and stand in a page exactly; their fillings are persons
FEWEST, LINKED = 4, 8  # so many counts, not all small, have to agree before two count the same, or add up to a third


class Told:
    """What the protected view of one result tells of its true counts.

    Attributes:
        truth: true counts of every row, by column. lines: sums of counts by (column, row), the least and the greatest
            that each may be. rests: pairs of counts whose difference is a count of persons too.
    """

    def __init__(self, result: Result, shown: Protected) -> None:
        self.result, self.counts = result, Counts(result.frame, result.keys, exact=False)
        self.truth: dict[str, np.ndarray] = {}
        self.lines: list[tuple[dict[tuple[str, int], float], float, float]] = []
        self.rests: set[tuple[str, str]] = set()
        for one in result.measures:
            of_persons = one.unit == "count" and one.counts == "persons"
            names = one.of[:2] if one.unit in ("share", "per_10000") else (one.name, *one.of[:1]) if of_persons else ()
            self.truth |= {name: self.counts.true(name) for name in names if name not in OTHERS}
        for one in result.measures:
            if one.name in shown.figures_of and one.unit in ("share", "per_10000", "count"):
                states = shown.figures_of[one.name].state
                for row in np.flatnonzero(personal(result) & (states != MISSING)):
                    self.read(one, int(row), str(states[row]))
        self.add_up()
        self.lines = [one for one in self.lines if not any(np.isnan(self.truth[name][row]) for name, row in one[0])]

    def read(self, measure: Measure, row: int, state: str) -> None:
        if measure.unit == "count" and measure.counts != "persons":  # posts, say: shown exactly
            if measure.name in self.truth:
                value = self.truth[measure.name][row]
                self.lines.append(({(measure.name, row): 1}, value, value))
        elif measure.unit == "count":
            self.read_count(measure, row, state)
        elif state != HIDDEN and measure.of[0] in self.truth:
            self.read_share(measure, row, state)

    def read_share(self, measure: Measure, row: int, state: str) -> None:
        """Its rounded counts; of a bound, that its numerator or what is left of it is small."""
        top, whole = measure.of[:2]
        if whole in self.truth:
            self.rounded(whole, row)
        if state == SHOWN:
            self.rounded(top, row)
        rest = {(whole, row): 1, (top, row): -1}
        if state == BELOW:
            self.lines.append(({(top, row): 1}, 0, THRESHOLD - 1))
        elif state == ABOVE:
            self.lines.append((rest, 0, THRESHOLD - 1))
        elif whole in self.truth and measure.unit == "share" and self.truth[whole][row] >= self.truth[top][row]:
            self.lines.append((rest, THRESHOLD, MOST))

    def read_count(self, measure: Measure, row: int, state: str) -> None:
        """Its rounded value, or that it is small, or that it is all but a small part of a whole, and that whole."""
        name, of = measure.name, [(one, row) for one in measure.of[:1]]
        wholes = of + [(name, total) for total, parts in self.counts.lines(name) if row in parts]
        if state == BELOW:
            self.lines.append(({(name, row): 1}, 0, THRESHOLD - 1))
            return
        least, most = (THRESHOLD, MOST) if state == SHOWN else (0, THRESHOLD - 1)
        if state == SHOWN:
            self.rounded(name, row)
        else:  # a bound stands on the whole's rounded value, or on the count's own
            nearly = [one for one in of if self.truth[one[0]][row] - self.truth[name][row] < THRESHOLD]
            wholes = nearly or wholes
            self.rounded(nearly[0][0] if nearly else name, row)
            self.lines.append(({(name, row): 1}, THRESHOLD, MOST))
        if state == SHOWN or len(wholes) == 1:  # else nobody knows which whole it is that leaves little
            self.lines += [({one: 1, (name, row): -1}, least, most) for one in wholes]

    def rounded(self, name: str, row: int) -> None:
        """A count whose rounded value is known: everything that would be rounded to the same."""
        if self.truth[name][row] < THRESHOLD:
            self.lines.append(({(name, row): 1}, 0, THRESHOLD - 1))
            return
        value = self.counts.rounded(name)[row]
        lines = [parts for total, parts in self.counts.lines(name) if total == row]
        parts = [one for one in lines if self.truth[name][one].sum() == self.truth[name][row]]
        fits = [
            one for one in np.arange(max(value - BASE, 0), value + BASE + 1) if self.shows(name, parts, one) == value
        ]
        self.lines.append(({(name, row): 1}, min(fits), max(fits)))

    def shows(self, name: str, parts: Sequence[list[int]], true: float) -> float:
        """What a total would be rounded to: to ten where a small part of it would keep too few values."""
        plain, truth = float(nearest_multiple(np.array(true), BASE)), self.truth[name]
        small, near = truth < THRESHOLD, nearest_multiple(truth, BASE)
        low, high = np.where(small, 0, near - 2), np.where(small, THRESHOLD - 1, near + 2)
        for own, part in ((line, one) for line in parts for one in line if small[one]):
            others = [one for one in own if one != part]
            least, most = max(0, plain - 2 - high[others].sum()), min(9, plain + 2 - low[others].sum())
            if most - least + 1 < FEWEST_VALUES:
                return float(nearest_multiple(np.array(true), 2 * BASE))
        return plain

    def add_up(self) -> None:
        """Totals of the table, and counts that are part of others."""
        for name, values in self.truth.items():
            for total, parts in self.counts.lines(name):
                rest = values[total] - values[parts].sum()  # those of whom the part is not known, such as no town
                terms = {(name, total): 1} | {(name, one): -1 for one in parts}
                self.lines.append((terms, 0, MOST if rest else 0))
        for one in self.result.measures:
            pair = one.of[:2] if one.unit == "share" else (one.name, *one.of[:1]) if one.unit == "count" else ()
            if len(pair) == 2 and set(pair) <= set(self.truth) and (self.truth[pair[1]] >= self.truth[pair[0]]).all():
                self.rests.add((pair[1], pair[0]))
                rows = range(len(self.truth[pair[0]]))
                self.lines += [({(pair[1], row): 1, (pair[0], row): -1}, 0, MOST) for row in rows]

    def to_dict(self) -> dict[str, Any]:
        keys = self.result.frame[list(self.result.keys)].astype(str).to_dict("records")
        return {"keys": keys, "truth": self.truth, "lines": self.lines, "rests": self.rests}


def personal(result: Result) -> np.ndarray:
    """The rows about persons."""
    return np.array([one.personal and not one.published for one in result.row_provenance()][: len(result.frame)], bool)


def collect(code: str, quarter: str) -> list[dict[str, Any]]:
    """What the notebooks show of one area and quarter, in this process's project home."""
    found: list[dict[str, Any]] = []
    seen, closed = study.Study.view, study.Study.close

    def view(self: study.Study, result: Any) -> Protected:
        shown = seen(self, result)
        place = {"notebook": name, "area": code, "quarter": quarter, "rows": shown.text_table("zh")[1]}
        if isinstance(result, Result):
            place["title"] = f"{name[:2]} {', '.join(result.keys)}: {', '.join(one.name for one in result.measures)}"
        guarded = isinstance(result, Result) and result.persons and personal(result).any()
        told = Told(result, shown).to_dict() if guarded else {"keys": [], "truth": {}, "lines": [], "rests": set()}
        found.append(place | told)
        return shown

    study.Study.view, study.Study.close = view, lambda self, **given: None
    for name in NOTEBOOKS:
        book = nbformat.read(paths.root() / "notebooks" / f"{name}.ipynb", as_version=4)
        space: dict[str, Any] = {}
        for cell in (one for one in book.cells if one.cell_type == "code"):
            exec(cell.source, space)
            if "parameters" in cell.metadata.get("tags", ()):
                space |= {"area": code, "quarter": quarter}
    study.Study.view, study.Study.close = seen, closed
    return found


def collected(home: Path, codes: Sequence[str], quarters: Iterable[str], environment: dict, code: Path) -> list[dict]:
    """What is shown in all briefs of some areas and quarters, gathered by two processes."""
    running = []
    for quarter in quarters:
        place = home.parent / f"{home.name}-office" / f"{quarter}.pickle"
        command = [sys.executable, "-m", "tests.bench.attack_tables", str(place), quarter, *codes]
        running.append((place, subprocess.Popen(command, env=environment, cwd=code, stdout=subprocess.DEVNULL)))
    found = []
    for place, one in running:
        if one.wait():
            raise RuntimeError(f"the notebooks of {place.stem} could not be read again")
        found += pickle.loads(place.read_bytes())
    return found


def not_given(pages: Sequence[Page], shown: Sequence[dict[str, Any]]) -> list[str]:
    """The rows of the pages' tables that the attacker is not given: none, if he knows all that they say."""
    given = {
        (*(one[key] for key in ("notebook", "area", "quarter")), *plain(row)) for one in shown for row in one["rows"]
    }
    found = []
    for page in (one for one in pages if one.notebook in NOTEBOOKS):
        rows = [row for table in page.tables for row in table.itertuples(index=False, name=None)]
        places = [(page.notebook, page.area, page.quarter, *plain(row)) for row in rows]
        found += [" ".join(map(str, one)) for one in places if one not in given]
    return found


def plain(row: Sequence[str]) -> list[str]:
    """Cells without what a page and a download write differently."""
    return [str(cell).strip().replace(",", "").replace("−", "-").lstrip("'") for cell in row]


# --- which counts are the same, and which add up ----------------------------------------------------------------------


def series_of(tables: Sequence[dict], city: str) -> tuple[dict, dict]:
    """True counts by table, column and keys other than place: their values by place and quarter; and who is who."""
    series: dict[tuple, dict] = defaultdict(dict)
    place: dict[tuple, tuple] = {}
    for number, table in enumerate(tables):
        for row, keys in enumerate(table["keys"]):
            where = keys.get("district", keys.get("town", table["area"]))
            if where == WHOLE:
                where = city if "district" in keys else table["area"]
            rest = tuple(value for key, value in keys.items() if key not in ("district", "town"))
            for name, values in table["truth"].items():
                if not np.isnan(values[row]):
                    key = (table["title"], name, rest)
                    series[key][where, table["quarter"]] = round(float(values[row]))
                    place[number, name, row] = (key, (where, table["quarter"]))
    return dict(series), place


@dataclass(frozen=True)
class Count:
    """A true count: of which table, column and keys, where and when, and the least and the greatest it may be."""

    series: tuple
    where: tuple
    true: int
    left: tuple[int, int]

    @property
    def number(self) -> int:
        return self.left[1] - self.left[0] + 1


class Everything:
    """All counts of all tables, joined where they are the same, with all that is known of them."""

    def __init__(self, tables: Sequence[dict], city: str, districts: Sequence[str]) -> None:
        self.tables, self.city, self.districts = tables, city, list(districts)
        self.series, place = series_of(tables, city)
        self.same = {key: key for key in self.series}
        self.join()
        self.truth: dict[tuple, int] = {}
        for key, values in self.series.items():
            for where, value in values.items():
                self.truth[self.same[key], where] = value
        self.lines: dict[tuple, tuple] = {}
        self.rests: dict[tuple, dict] = {}  # what is left of wholes, and what came between the quarters
        for number, table in enumerate(tables):
            for terms, low, high in table["lines"]:
                named = defaultdict(float)
                for (name, row), factor in terms.items():
                    key, where = place[number, name, row]
                    named[self.same[key], where] += factor
                self.know({one: factor for one, factor in named.items() if factor}, low, high)
            for (whole, part), row in itertools.product(table["rests"], range(len(table["keys"]))):
                if (number, whole, row) in place and (number, part, row) in place:
                    (one, where), (other, _) = place[number, whole, row], place[number, part, row]
                    one, other = self.same[one], self.same[other]
                    if one != other:
                        self.rests[one, "less", other, where] = {(one, where): 1, (other, where): -1}
        self.structure()

    def know(self, terms: dict, low: float, high: float) -> None:
        if terms:
            self.lines[tuple(sorted(terms.items(), key=repr)), low, high] = (terms, low, high)

    def vector(self, key: tuple) -> tuple:
        return tuple(sorted(self.series[key].items()))

    def join(self) -> None:
        """Series that are equal at every place and quarter that both have are one, if that can hardly be chance."""
        for one, other in itertools.combinations(self.series, 2):
            if self.same[one] == self.same[other] or one[:2] == other[:2]:
                continue
            both = self.series[one].keys() & self.series[other].keys()
            mine, others = ([self.series[key][where] for where in both] for key in (one, other))
            if len(both) >= FEWEST and mine == others and sum(value > 2 for value in mine) >= FEWEST:
                kept, gone = self.same[one], self.same[other]
                self.same = {key: kept if value == gone else value for key, value in self.same.items()}

    def structure(self) -> None:
        """What adds up over districts, over the categories of a table, or to another count; and what only grows."""
        heads = {self.same[key] for key in self.series}
        known = {key: {} for key in heads}
        for key, where in self.truth:
            known[key][where] = self.truth[key, where]
        quarters = sorted({where[1] for _, where in self.truth})
        for key, values in known.items():
            self.districts_and_city(key, values, quarters)
            if len(quarters) == 2:
                self.between_quarters(key, values, quarters)
        groups = defaultdict(list)  # categories of one table: level, rung, field, year
        for key in self.series:
            groups[key[0], key[1]].append(key)
        sums = {}
        for (title, name), keys in groups.items():
            parts = [key for key in keys if WHOLE not in key[2]]
            wheres = set.intersection(*(set(self.series[key]) for key in parts)) if len(parts) > 1 else set()
            if wheres:
                sums[title, name] = (parts, {where: sum(self.series[key][where] for key in parts) for where in wheres})
        for (parts, total), whole in itertools.product(sums.values(), heads):
            self.link([self.same[one] for one in parts], total, whole, known[whole])
        self.parts_and_rests(known)

    def districts_and_city(self, key: tuple, values: dict, quarters: Sequence[str]) -> None:
        """The districts add up to the city, if they do in every quarter."""
        lines = [((self.city, one), [(code, one) for code in self.districts]) for one in quarters]
        lines = [(whole, parts) for whole, parts in lines if all(one in values for one in (whole, *parts))]
        if all(values[whole] == sum(values[one] for one in parts) for whole, parts in lines):
            for whole, parts in lines:
                self.know({(key, whole): 1} | {(key, one): -1 for one in parts}, 0, 0)

    def between_quarters(self, key: tuple, values: dict, quarters: Sequence[str]) -> None:
        """Nothing changes, or nothing falls, if that is so everywhere: a count of what was, or of what only grows."""
        places = [one for one in {where[0] for where in values} if all((one, q) in values for q in quarters)]
        steps = [values[one, quarters[1]] - values[one, quarters[0]] for one in places]
        grows = (
            len(places) >= FEWEST and min(steps) >= 0 and sum(values[one, quarters[0]] > 2 for one in places) >= FEWEST
        )
        for one in places:
            more = {(key, (one, quarters[1])): 1, (key, (one, quarters[0])): -1}
            self.rests[key, "between", "quarters", one] = more
            if grows:
                self.know(more, 0, MOST if any(steps) else 0)

    def parts_and_rests(self, known: dict) -> None:
        """A count that two others add up to, whatever they are called, of those that stand in every brief."""
        places = sorted(itertools.product((self.city, *self.districts), {where[1] for _, where in self.truth}))
        every = {key: values for key, values in known.items() if all(one in values for one in places)}
        figures = {key: np.array([values[one] for one in places]) for key, values in every.items()}
        figures = {key: one for key, one in figures.items() if (one > 2).sum() >= LINKED}
        named = {one.tobytes(): key for key, one in figures.items()}
        for one, other in itertools.combinations(figures, 2):
            added = figures[one] + figures[other]
            if (whole := named.get(added.tobytes())) is not None:
                self.link([one, other], dict(zip(places, added, strict=True)), whole, known[whole])

    def link(self, parts: list, total: dict, whole: tuple, values: dict) -> None:
        both = total.keys() & values.keys()
        if whole in parts or len(both) < LINKED or sum(values[one] > 2 for one in both) < LINKED:
            return
        if all(total[where] == values[where] for where in both):
            for where in both:
                terms = defaultdict(float)
                terms[whole, where] += 1
                for one in parts:
                    terms[one, where] -= 1
                self.know({one: factor for one, factor in terms.items() if factor}, 0, 0)

    def programs(self) -> list[tuple[Program, dict]]:
        """A program for each set of counts that hang together, with the truth of its counts."""
        above = {key: key for key in self.truth}

        def root(key):
            while above[key] != key:
                above[key] = above[above[key]]
                key = above[key]
            return key

        for terms in (*(line[0] for line in self.lines.values()), *self.rests.values()):
            first, *others = terms
            for one in others:
                above[root(one)] = root(first)
        made: dict[tuple, tuple[Program, dict]] = {}
        for key, value in self.truth.items():
            program, truth = made.setdefault(root(key), (Program(), {}))
            program.variable(key, 0, MOST)
            truth[key] = value
        for terms, low, high in self.lines.values():
            made[root(next(iter(terms)))][0].know(terms, Interval(low, high))
        return list(made.values())


def attack(tables: Sequence[dict], city: str, districts: Sequence[str]) -> list[Count]:
    """Every true count from 1 to 9 behind a table with the values that are left of it.

    Raises:
        RuntimeError: a figure was read wrongly, so that the truth does not fit.
    """
    everything = Everything(tables, city, districts)
    found = []
    known = everything.truth
    for program, truth in everything.programs():
        if broken := program.broken(truth):
            raise RuntimeError(f"{len(broken)} figures were read wrongly, such as {'; '.join(broken[:5])}")
        rests = [one for one in everything.rests.items() if next(iter(one[1])) in truth]
        asked = [*((key, {key: 1}) for key in truth if key[0][1] not in PLACES), *rests]
        small = [(key, terms, round(sum(known[one] * sign for one, sign in terms.items()))) for key, terms in asked]
        small = [one for one in small if 1 <= one[2] <= 9]
        left = program.survey([terms for _, terms, _ in small])
        found += [Count(key[0], key[1:], true, one) for (key, _, true), one in zip(small, left, strict=True)]
    return found


if __name__ == "__main__":
    place, quarter, *codes = sys.argv[1:]
    Path(place).write_bytes(pickle.dumps([one for code in codes for one in collect(code, quarter)]))
