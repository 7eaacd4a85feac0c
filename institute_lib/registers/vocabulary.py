"""The declared words of a register: what a header, a unit, a level or a blank means."""

import re
import tomllib
import unicodedata
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from institute_lib import terms
from institute_lib.errors import ParameterError

_BRACKETS = re.compile(r"[(\[【〔<《].*?[)\]】〕>》]")
_MARKS = re.compile(r"[()\[\]【】〔〕<>《》\"“”'‘’·]")
_NUMBERING = re.compile(r"^[(]?\d{1,2}[).、.]+(?=[^\d])")
_EDGES = "*:;.,、。*#"
_UNIT_WORDS = re.compile(r"^(?:计量|金额|货币)?单位:?|^单位为|^按|^以|计$")
_PERIOD = re.compile(r"^(.*?)(?:/|每)(?:每)?(.+)$")
# CJK radicals that NFKC leaves, and the characters that they look like (Unicode, EquivalentUnifiedIdeograph.txt).
_RADICALS = str.maketrans(
    "⺁⺄⺅⺆⺈⺉⺊⺋⺍⺎⺏⺐⺒⺓⺔⺕⺖⺗⺘⺙⺛⺜⺝⺞⺟⺠⺡⺢⺣⺤⺦⺧⺨⺩⺪⺫⺬⺭⺮⺯⺰⺱⺲⺶⺷⺹⺺⺻⺼⺽⺾⺿⻀⻁⻂⻃⻄⻅⻆⻈⻉⻊⻋⻌⻍⻎⻏⻐⻑⻒⻓⻔⻕⻖⻗⻘⻙⻚⻛⻜⻝⻟⻠⻡⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲",
    "厂乙亻冂刀刂卜㔾小兀尣尢巳幺彑彐忄㣺扌攵旡日月歺母民氵氺灬爫丬牛犭王疋目示礻竹糹纟罓罒羊羊耂肀聿月臼艹艹艹虎衤覀西见角讠贝足车辶辶辶阝钅長镸长门阜阝雨青韦页风飞食飠饣首马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀",
)
_LOOK_ALIKE = re.compile("[\u2e80-\u2fdf\uf900-\ufaff]")
_PLAIN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff\x20-\x7e\u2000-\u206f\u3000-\u303f\uff00-\uffef·]")

DERIVED = {"birth_year", "worker_id", "candidate_id", "person_id"}  # of the identity number


@dataclass(frozen=True)
class Column:
    """One column that a table takes from a register; `unit` is what its amounts are kept in, `blanks` are its own words
    for nothing.
    """

    name: str
    type: str
    headers: tuple[str, ...]
    required: bool = False
    unit: str = ""
    blanks: tuple[str, ...] = ()


class Unit(NamedTuple):
    """What a number counts: 万元/年 is Unit(10_000, 元, 年). Without a count (万), that of the column is meant."""

    factor: float = 1.0
    count: str = ""
    period: str = ""


class Meaning(NamedTuple):
    """What a header means: a column, its unit, and a remark that nobody declared."""

    column: str
    unit: Unit | None = None
    remark: str = ""


@cache
def declared() -> dict[str, Any]:
    """The whole of `headers.toml`."""
    with (Path(__file__).parent / "headers.toml").open("rb") as file:
        return tomllib.load(file)


def tables() -> tuple[str, ...]:
    """The tables that a register can be imported as."""
    return tuple(declared()["tables"])


@cache
def columns(table: str) -> tuple[Column, ...]:
    """The columns that a table takes from a register.

    Raises:
        ParameterError: no register is imported as that table.
    """
    if table not in tables():
        allowed = partial(terms.nearest_in, value=table, allowed=tables())
        raise terms.error(ParameterError, "registers.error_table", table=table, nearest=allowed)
    every = []
    for name, entry in declared()["tables"][table].items():
        column = Column(
            name, **{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
        )
        if column.type == "district":
            column = replace(column, headers=(*column.headers, *declared()["district_headers"]))
        every.append(column)
    return tuple(every)


@cache
def _synonyms(table: str) -> dict[str, str]:
    return {plain(header): column.name for column in columns(table) for header in column.headers}


def column_of(table: str, header: str) -> str | None:
    """The column that a header means, or None."""
    found = meaning(table, header)
    return found.column if found else None


@lru_cache(maxsize=4096)
def is_header(text: str) -> bool:
    """Whether a text is a declared header of any table."""
    return any(column_of(table, text) is not None for table in tables())


@lru_cache(maxsize=4096)
def meaning(table: str, header: str) -> Meaning | None:
    """What a header means: as written, else without its unit and its remarks; None if it is no declared one, or if a
    remark turns it into another column (区县（户籍所在地）).
    """
    known = _synonyms(table)
    for form in (plain(header), plain(simplified(header))):
        if form in known:
            return Meaning(known[form])
    text = _NUMBERING.sub("", plain(normal(simplified(header))))
    if not plain(_BRACKETS.sub("", text)):  # 【入职日期】
        text = _MARKS.sub("", text)
    body, unit, odd = plain(_BRACKETS.sub("", text)), None, ""
    for remark in (part[1:-1].strip() for part in _BRACKETS.findall(text)):
        found = unit_of(remark)
        if found:
            unit = found
        elif not _is_harmless(remark):
            if changes_meaning(remark):
                return None
            odd = remark
    if body not in known:
        body, at_end = _split_at_end(body, known)
        unit = unit or at_end
    return Meaning(known[body], unit, odd) if body in known else None


def _split_at_end(body: str, known: dict[str, str]) -> tuple[str, Unit | None]:
    """A header whose unit stands at its end without brackets: 月薪/千元, 月薪元."""
    for at in range(len(body) - 1, 0, -1):
        if body[:at] in known and (found := unit_of(body[at:].lstrip("/:,_-"))):
            return body[:at], found
    return body, None


def _is_harmless(remark: str) -> bool:
    return any(pattern.fullmatch(remark) for pattern in _harmless())


@cache
def _harmless() -> list[re.Pattern[str]]:
    return [re.compile(pattern, re.IGNORECASE) for pattern in declared()["remarks"]["harmless"]]


def changes_meaning(remark: str) -> bool:
    """Whether a remark turns a column into another one: 户籍所在地, 合同到期."""
    return any(word in remark for word in declared()["remarks"]["changing"])


def set_aside(table: str, header: str) -> str | None:
    """The column that a header only looks like: without the remark that changes it, or by its own declared name."""
    text = plain(simplified(header))
    if text in declared()["remarks"]["other_headers"]:
        return ""
    return _synonyms(table).get(bare(text)) if meaning(table, header) is None else None


def set_aside_district(header: str) -> bool:
    """Whether a header names a place that is not the one of the work: 户籍所在地."""
    return any(set_aside(table, header) == "district" for table in tables())


def header_of(table: str, column: str | None) -> str | None:
    """The header under which an office finds a column of the contract; what is derived of a person, under the number.

    The column itself where no header declares it.
    """
    declared_as = {one.name: one.headers[0] for one in columns(table)}
    derived = declared_as.get("identity", column)
    return derived if column in DERIVED else declared_as.get(column or "", column)


def declared_form(table: str, header: str) -> str:
    """A header as people are shown it: without units and remarks, unless it is declared with them."""
    known = _synonyms(table)
    forms = [plain(header), bare(header), bare(simplified(header)), _split_at_end(bare(header), known)[0]]
    return next((form for form in forms if form in known), bare(header))


def bare(header: str) -> str:
    """A header without bracketed remarks."""
    return plain(_BRACKETS.sub("", normal(header)))


@lru_cache(maxsize=4096)
def unit_of(text: str) -> Unit | None:
    """A written unit, or None if it is none: 元, 万元/年, 每月元, 万人, 人次, %, 单位:万元."""
    text = {"百分比": "%", "百分数": "%", "百分之": "%"}.get(text, text)
    text = _UNIT_WORDS.sub("", normal(text).replace(" ", "")).replace("人民币", "", 1) or normal(text)
    split = _PERIOD.match(text)
    body, period = (split[1], split[2].replace("/", "")) if split else (text, "")
    if not body and split:  # 每月, /月
        return Unit(period=period) if period in _periods() else None
    if period and period not in _periods():
        return None
    multiples = declared()["multiples"]
    head = next((head for head in sorted(multiples, key=len, reverse=True) if body.startswith(head)), "")
    factor, count = multiples.get(head, 1.0), body.removeprefix(head)
    if count.upper() in _counts() or (head and not count) or (period and not count and not head):
        return Unit(factor, count.upper() if count.isascii() else count, period)
    return None


@cache
def _counts() -> frozenset[str]:
    every = [*(kind["counts"] for kind in declared()["kinds"].values()), declared()["other_units"]["counts"]]
    return frozenset(count.upper() for counts in every for count in counts)


@cache
def _periods() -> frozenset[str]:
    return frozenset(declared()["other_units"]["periods"])


def scale(kept_in: str, unit: Unit | None) -> float | None:
    """What one of a unit is in the unit that a column is kept in; None if that cannot be settled.

    >>> scale("yuan_month", unit_of("万元/年"))
    833.3333333333333
    """
    if unit is None:
        return 1.0
    kind = declared()["kinds"][kept_in]
    if unit.count and unit.count not in {count.upper() for count in kind["counts"]}:
        return None
    period = kind["periods"].get(unit.period, None) if unit.period else 1.0
    return None if period is None else unit.factor * period


def in_other_currency(header: str) -> bool:
    """Whether a header declares amounts that are no yuan."""
    remarks = [part.upper() for part in _BRACKETS.findall(plain(normal(header)))]
    return any(word in remark for remark in remarks for word in declared()["other_currencies"])


def is_personal(header: str) -> bool:
    """Whether a header announces a phone, an address or the like: read by nobody, kept nowhere."""
    return bare(header) in declared()["personal_headers"]


def is_serial(header: str) -> bool:
    """Whether a header counts the rows and says nothing of them."""
    return bare(header) in declared()["serial_headers"]


def is_total(text: str) -> bool:
    """Whether the first text of a row says that the row sums others up: 合计, 崇川区小计, 合计:3人."""
    letter, whole = _totals()
    return bool(letter.search(text)) and whole.fullmatch(plain(text)) is not None


def is_signature(text: str) -> bool:
    """Whether a text is what stands below a register: 填表人:…, 审核:…, 备注:…, 以下空白."""
    text = plain(text)
    return _signatures().match(text) is not None or text.strip("()") in declared()["endings"]


@cache
def _totals() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """One letter of such a word, which nearly every row lacks, and the whole text."""
    words = declared()["totals"]
    whole = f".{{0,8}}(?:{'|'.join(words)})(?:人数|数|金额)?[:]?[\\d,.]*[人名元个]?"
    return re.compile(f"[{''.join(word[-1] for word in words)}]"), re.compile(whole)


@cache
def _signatures() -> re.Pattern[str]:
    return re.compile(f"[(]?(?:{'|'.join(declared()['signatures'])})[^:]{{0,8}}:")


def is_error(text: str) -> bool:
    """Whether a text is what a failed formula shows (#N/A, Err:502), or a column too narrow for its number (####)."""
    if text[:1] != "#" and not text.startswith("Err:"):
        return False
    return text.upper() in declared()["error_words"] or set(text) == {"#"} or re.fullmatch(r"Err:\d+", text) is not None


def is_missing(text: str) -> bool:
    """Whether a text is one of the declared words for 'not recorded'. `NA` and `null` are not: they are names."""
    longest, words = _missing_words()
    return len(text) <= longest and normal(text) in words


@cache
def _missing_words() -> tuple[int, frozenset[str]]:
    """Those words, and the length of the longest."""
    words = frozenset(normal(word) for word in declared()["missing"])
    return max(map(len, words)), words


@cache
def levels(name: str) -> dict[str, str]:
    """Every declared word of a level list, and the level it means; a level's own code is a word too."""
    entries = declared()["levels"][name]
    words = {normal(word).lower(): level for level, listed in entries.items() for word in listed}
    return words | {level.lower(): level for level in entries}


def level_of(name: str, word: str) -> str | None:
    """The level that a word means: a declared one, in simplified characters, else by the signs of its list, if they
    leave no doubt.

    >>> level_of("education", "本科（全日制）"), level_of("certificate", "中级会计师")
    ('bachelor', None)
    """
    text = normal(word).replace(" ", "").lower()
    known, plain_form = levels(name), normal(simplified(text)).lower()
    for form in (text, plain_form):
        if form in known:
            return known[form]
    bare_form = _MARKS.sub("", plain_form)
    doubt, patterns = _signs(name)
    if not bare_form or (doubt and doubt.search(bare_form)):
        return None
    found = {level for level, pattern in patterns.items() if pattern.search(bare_form)}
    definite = found - {"unknown"} or found
    return definite.pop() if len(definite) == 1 else None


@cache
def _signs(name: str) -> tuple[re.Pattern[str] | None, dict[str, re.Pattern[str]]]:
    """What makes a word of a list doubtful, and the pattern of each of its levels."""
    entries = dict(declared()["signs"].get(name, {}))
    doubt, around = entries.pop("doubt", ""), entries.pop("around", "")
    whole = f"^{around}(?:SIGN){around}$" if around else "SIGN"
    patterns = {level: re.compile(whole.replace("SIGN", sign)) for level, sign in entries.items()}
    return re.compile(doubt) if doubt else None, patterns


def is_level_list(type_name: str) -> bool:
    return type_name in declared()["levels"]


@cache
def district_words() -> dict[str, str]:
    """Other names of development zones and of the city itself, and the code that each stands for."""
    return {normal(word): code for code, words in declared()["districts"].items() for word in words}


def normal(text: str) -> str:
    """A text in NFKC (full-width digits become plain ones), without look-alike characters and spaces at its ends."""
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", text).translate(_RADICALS).strip()


def without_look_alikes(text: str) -> str:
    """A text in which radicals and compatibility characters are the characters that they look like: 海⻔ is 海门."""
    if not _LOOK_ALIKE.search(text):
        return text
    return _LOOK_ALIKE.sub(lambda found: normal(found[0]), text)


def odd_characters(text: str) -> str:
    """The characters of a text that no one types on purpose, named: “ﾟ”（U+FF9F）; nothing where there are none."""
    odd = dict.fromkeys(letter for letter in normal(text) if not _PLAIN.match(letter))
    return "、".join(f"“{letter if letter.isprintable() else ''}”(U+{ord(letter):04X})" for letter in odd)


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


@lru_cache(maxsize=1 << 14)
def simplified(text: str) -> str:
    """A text in simplified characters (OpenCC)."""
    return converted(text)


def converted(text: str) -> str:
    """`simplified` of a long text, which is not remembered."""
    return text if text.isascii() else _converter().convert(text)


def plain(header: str) -> str:
    """A header without spaces, line breaks and marks at its ends, in NFKC."""
    return re.sub(r"\s+", "", normal(header)).strip(_EDGES)
