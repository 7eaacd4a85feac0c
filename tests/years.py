"""A year of an office's register: who works there, how it is written down, and what a count by hand gives."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import openpyxl

from institute_lib import areas
from tests.offices import number

ENDS = {"2024Q4": "2024-12-31", "2025Q1": "2025-03-31", "2025Q2": "2025-06-30", "2025Q3": "2025-09-30"}
ENDS |= {"2025Q4": "2025-12-31"}
MARKS = [date(2025, 1, 1), date(2025, 4, 1), date(2025, 7, 1), date(2025, 10, 1), date(2026, 1, 1)]
CHONGCHUAN, HAIMEN, RUDONG, QIDONG = "320613", "320614", "320623", "320681"
HEADERS = ["姓名", "身份证号", "区", "级别", "月薪", "入职日期", "离职日期"]


@dataclass
class Spell:
    """One person in one post, as the office knows it in the end."""

    serial: int
    district: str
    entered: date
    left: date | None = None
    pay: int = 5000
    level: str = "助理"
    silent: bool = False  # its office lists nobody who has left it

    def listed(self, day: date, *, leavers: bool = True) -> bool:
        return self.entered <= day and (self.left is None or self.left > day or (leavers and not self.silent))


@dataclass
class Office:
    """Everybody, and how files are written of them."""

    folder: Path
    people: list[Spell] = field(default_factory=list)

    def write(self, name: str, day: str, people: list[Spell], *, leavers: bool = True, without: str = "") -> Path:
        """A workbook of those listed on a day; its title says the day."""
        until, book = date.fromisoformat(day), openpyxl.Workbook()
        book.active.append([f"社会工作从业人员登记表（截至{day}）"])
        kept = [header for header in HEADERS if header != without]
        book.active.append(kept)
        for one in people:
            if one.listed(until, leavers=leavers):
                left = one.left if one.left and one.left <= until else None
                row = [
                    "甄无名",
                    number(one.serial % 1000, f"{1990 - one.serial // 1000}0307"),
                    areas.get(one.district).name_zh,
                    one.level,
                    one.pay,
                    one.entered,
                    left,
                ]
                book.active.append([cell for header, cell in zip(HEADERS, row, strict=True) if header in kept])
        path = self.folder / f"{name}.xlsx"
        book.save(path)
        return path

    def of(self, district: str) -> list[Spell]:
        return [one for one in self.people if one.district == district]


def count(spells: list[Spell], day: date) -> int:
    return sum(one.entered <= day and (one.left is None or one.left > day) for one in spells)


@dataclass(frozen=True)
class Tally:
    """2025 counted by hand, over everybody's spells one by one."""

    heads: list[int]
    leavers: int
    stayers: int

    @property
    def average(self) -> float:
        return (self.heads[0] / 2 + sum(self.heads[1:4]) + self.heads[4] / 2) / 4


def tally(spells: list[Spell]) -> Tally:
    """A spell that ends on the day on which the same person's next one begins is nobody's leaving."""
    begins = {(one.serial, one.entered) for one in spells}
    ended = [one for one in spells if one.left and MARKS[0] < one.left <= MARKS[-1]]
    here = [one for one in spells if one.entered <= MARKS[0] and (one.left is None or one.left > MARKS[0])]
    still = {one.serial for one in spells if one.left is None or one.left > MARKS[-1]}
    leavers = sum((one.serial, one.left) not in begins for one in ended)
    return Tally([count(spells, day) for day in MARKS], leavers, sum(one.serial in still for one in here))


def hand_count(spells: list[Spell]) -> tuple[float, float]:
    """Turnover and stability of 2025."""
    found = tally(spells)
    return found.leavers / found.average, found.stayers / found.heads[0]
