"""Numbers in words: which a text holds, and which of them something that was shown, or the code, has given."""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator

from institute_lib import terms

YEAR = r"(?:19|20)\d\d"
PEOPLE = r"(?:[名位例户岁元]|人(?!才)|个人|万元)"
# What words may say without a figure: days, quarters, years, levels of intervals, codes, list and heading numbers.
PLAIN = re.compile(
    "|".join(
        (
            rf"{YEAR}-\d\d-\d\d|{YEAR}Q[1-4]",
            *(terms.catalogue("disclosure")["dates"][language] for language in terms.LANGUAGES),
            rf"{YEAR}[年/–-](?:{YEAR}年?)?",
            rf"(?<![\d.,]){YEAR}(?![\d.,%人名元])",
            r"(?<![\d.])(?:9[059]|99\.9)(?:\.\d)?\s*%",
            r"(?<=\])\((?:https?://|mailto:|[#./])[^)\s]*\)|https?://[^\s\u3400-\u9fff]+",
            rf"(?m:^\s*(?:#+\s*\d{{1,2}}(?:\.\d+)*[.、)]?\s|\d{{1,2}}(?:\.\d+)*[.、)]\s)(?!\s*{PEOPLE}))",
            rf"每[十百千万]+|(?:第|[图附]?(?<![代外发])表|图)\s*\d{{1,2}}(?!\d)(?!\s*{PEOPLE})",
            r"(?:[Ff]igure|[Tt]able|[Ss]ection|[Cc]hapter)s? \d{1,2}",
        )
    )
)
DIGITS = re.compile(rf"(?<![A-Za-z0-9_.])[<>≥≤−-]?\d[\d,]*(?:\.\d+)?|\d[\d,]*(?=\s*{PEOPLE})")
MINUS_AND_SIGNS = str.maketrans({"−": "-", "<": "", ">": "", "≥": "", "≤": "", ",": ""})
CHINESE = "零〇一二两三四五六七八九十百千万壹贰叁肆伍陆柒捌玖拾廿卅"
FORMAL = str.maketrans("壹贰叁肆伍陆柒捌玖拾〇", "一二三四五六七八九十零") | {ord("廿"): "二十", ord("卅"): "三十"}
COUNTED = (
    r"\s*(?:多|余|几)?(?:名|人|位|例|户|岁|元|万元|成(?![为员立本年果效长就不])|口人|分之"
    r"|个(?=[人社员学居持女男离老青新毕])|家(?=机构|单位))"
)
CHINESE_NUMBER = re.compile(rf"(?!百分之)[{CHINESE}]+(?={COUNTED})|(?<=分之)[{CHINESE}]+|[俩仨](?=[人名个社])")
NOT_COUNTS = re.compile("个人|人人|一般人|每一?名|每一?人|某一?人|本人|同一?人|一人一|两两")
UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
ONES = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"两": 2}
ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
ENGLISH_NUMBER = re.compile(
    rf"\b({'|'.join(ENGLISH)})\b(?=\s+(?:[a-z-]+\s+){{0,2}}?(?:people|persons?|workers?|leavers?|employees?|residents?"
    r"|wom[ae]n|m[ae]n|females?|males?|graduates?|members?|yuan|per\s?cent|of (?:them|whom|these|those))\b"
    r"|\s+(?:left|stay(?:ed)?|resigned|retired|quit)\b)",
    re.IGNORECASE,
)
MARKUP = re.compile(r"[*`~\u200b-\u200f\u2060\ufeff\\]|(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9_])|<[^>\d]*>")


def chinese_value(text: str) -> int:
    """A whole number in Chinese characters.

    >>> chinese_value("三百二十七")
    327
    """
    total, section, digit = 0, 0, 0
    for character in text.translate(FORMAL):
        if character in ONES:
            digit = ONES[character]
        elif character == "万":
            total, section, digit = total + (section + digit or 1) * 10_000, 0, 0
        else:
            section, digit = section + (digit or 1) * UNITS[character], 0
    return total + section + digit


def numbers_in(text: str) -> Iterator[tuple[str, float]]:
    """The numbers of a text as written, with their values: digits, and words that count persons or money."""
    plain = MARKUP.sub("", unicodedata.normalize("NFKC", html.unescape(text)))
    plain = PLAIN.sub(" ", plain)
    for found in DIGITS.finditer(plain):
        yield found.group(), float(found.group().translate(MINUS_AND_SIGNS))
    counted = NOT_COUNTS.sub(" ", plain)
    for found in CHINESE_NUMBER.finditer(counted):
        pair = {"俩": 2, "仨": 3}.get(found.group())
        yield found.group(), float(pair or chinese_value(found.group()))
    for found in ENGLISH_NUMBER.finditer(plain):
        yield found.group(), float(ENGLISH.index(found[1].lower()))


def values_of(texts: Iterable[str]) -> set[float]:
    """The values that shown texts give, with their sign and without it."""
    found = {value for text in texts for _, value in numbers_in(str(text))}
    return found | {abs(value) for value in found}


def unknown_number(text: str, given: set[float]) -> str:
    """The first number of a text that is not given, as written; empty where there is none."""
    return next((word for word, value in numbers_in(text) if value not in given and abs(value) not in given), "")
