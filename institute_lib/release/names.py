"""Names of the register, known to the scan by keyed digests only (`registers.digests`), and what looks like a name."""

import re
from collections.abc import Iterator
from functools import cache

from institute_lib import paths, terms
from institute_lib.registers.digests import Digests, load
from institute_lib.registers.vocabulary import simplified
from institute_lib.release.disguises import BREAK
from institute_lib.tables import journal

HAN = r"\u3400-\u9fff\U00020000-\U0003ffff"
# The commoner surnames of the Hundred Family Surnames and of Nantong, and those of two characters.
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹"
    "孟熊秦邱江尹薛闫阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤葛施季冒缪保成管单樊羌倪殷桑温康俞章鲁安喻岳齐伍关常左耿牟翟詹申焦柴"
    "裴解庞凌霍尚辛欧苗童翁洪包纪舒柯梅盛岑祝柳瞿茅仇解查朴盖华乐池卓艾蓝苑路娄危骆鲍房褚宫甄曲项祁屈费聂饶井车鄢郎晏匡卜古麦买努阿热图"
)
_COMPOUND = (
    "欧阳",
    "上官",
    "司马",
    "诸葛",
    "东方",
    "皇甫",
    "尉迟",
    "公孙",
    "慕容",
    "令狐",
    "司徒",
    "夏侯",
    "端木",
    "宇文",
    "长孙",
)
_RUN = re.compile(rf"[{HAN}](?:[· \n\t]{{0,3}}[{HAN}])+")
_LATIN = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,30}(?:[ .\-',_]{1,2}[A-Za-z]{1,30}){0,3}(?![A-Za-z])")
# A surname and a given name in cells beside each other; characters one by one with signs or cells between them.
_CELLS = re.compile(rf"(?<![{HAN}])(?=([{HAN}]{{1,2}})[\x1f\n]{{1,3}}([{HAN}]{{1,3}})(?![{HAN}]))")
_SINGLES = re.compile(rf"(?<![{HAN}])[{HAN}](?:[\s,，、;；|/.\-_+\"']{{1,4}}[{HAN}](?![{HAN}])){{1,3}}")
_MASKED = re.compile(
    rf"(?<![{HAN}*])([{HAN}]{{1,2}})(?:[*○×●✱]{{1,2}}[{HAN}]?|某[{HAN}]|[Xx]{{2}})"
    rf"(?=老师|同志|女士|先生|社工|站长|主任|[^{HAN}*A-Za-z0-9]|\Z)"
)
_NO_SURNAME = re.compile(rf"(?<![{HAN}*\w])[*○×●]([{HAN}]{{1,2}})(?![{HAN}*])")
_HEX = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,128}(?![0-9a-fA-F])")
CONFIRMED = "common_words.txt"


@cache
def known() -> Digests:
    """The digests of this computer; read once."""
    return load()


def unknown_files() -> list[str]:
    """Names of register files that were imported when these digests were not at hand: they are older, or elsewhere."""
    people = (one for one in journal.entries() if one.kind == "import" and one.key_id is not None)
    files = (file for one in people for file in one.body["files"])
    return sorted({file["name"] for file in files if not known().has_file(file["sha256"])})


def looks_like_a_name(text: str, *, longest: int = 4) -> bool:
    """Whether a text is a surname and one or two characters (more where `longest` allows a name of a minority)."""
    if not re.fullmatch(rf"[{HAN}·]{{2,{longest}}}", text):
        return False
    compound = text.startswith(_COMPOUND)
    return (compound or text[0] in _SURNAMES) and (len(text) <= 3 + compound or "·" in text or longest > 4)


def find_names(plain: str) -> Iterator[tuple[int, str, object, str]]:
    """Names of the register, also split, masked, in pinyin or in traditional characters, and hashes of its numbers."""
    yield from _masked(plain)
    digests = known()
    if not digests:
        return
    for at, run in _runs(plain):
        if run not in digests.hits:
            digests.hits[run] = tuple(_in_run(run, digests))
        for severity, name in digests.hits[run]:
            yield at, severity, name, "name"
    for words, at in {match[0]: match.start() for match in _LATIN.finditer(plain)}.items():
        if words not in digests.hits:
            read = any(digests.is_name(one) and one not in confirmed() | _own_english() for one in _readings(words))
            digests.hits[words] = (words,) if read else ()
        for name in digests.hits[words]:
            yield at, "warn", name, "name"  # many people share a reading
    for match in _HEX.finditer(plain):
        if digests.is_hash(match[0].lower()):
            yield match.start(), "refuse", match[0], "identity_hash"


def _masked(plain: str) -> Iterator[tuple[int, str, object, str]]:
    """Names of which a mark covers one part, and the rest tells enough."""
    for match in _MASKED.finditer(plain):
        if match[1].startswith(_COMPOUND) or (len(match[1]) == 1 and match[1] in _SURNAMES):
            yield match.start(), "warn", match[0], "name_masked"
    for match in _NO_SURNAME.finditer(plain):
        if any(known().is_name(surname + match[1]) for surname in (*_SURNAMES, *_COMPOUND)):
            yield match.start(), "warn", match[0], "name_masked"


def _runs(plain: str) -> Iterator[tuple[int, str]]:
    """Stretches of Chinese characters, each once: as they stand, over two cells, and one by one in either order."""
    found: dict[str, int] = {}
    for match in _RUN.finditer(plain):
        found.setdefault(re.sub(r"[· \n\t]", "", match[0]), match.start())
    for match in _CELLS.finditer(plain):
        found.setdefault(match[1] + match[2], match.start())
    for match in _SINGLES.finditer(plain):
        letters = re.sub(rf"[^{HAN}]", "", match[0])
        found |= {letters: match.start(), letters[::-1]: match.start()}
    for run, at in found.items():
        yield at, run
        plain_run = simplified(run)
        if plain_run != run:
            yield at, plain_run


def _in_run(run: str, digests: Digests) -> Iterator[tuple[str, str]]:
    """Names in a stretch of characters, and how sure they are."""
    if len(run) in digests.lengths and digests.is_name(run[::-1]) and run[::-1] not in confirmed():
        yield "warn", run[::-1]
    for length in digests.lengths:
        for at in range(len(run) - length + 1):
            name = run[at : at + length]
            if not digests.is_name(name) or name in confirmed():
                continue
            # 高峰 in 高峰期, 钟秀 in 钟秀街道: a short name inside a known word is none. Inside an unknown one,
            # and where a whole known word is a name too, somebody has to look.
            wider = {run[max(at - 1, 0) : at + length], run[at : at + length + 1]} - {name}
            if len(name) > 2 or not any(map(is_own_word, wider)):
                sure = (len(name) > 2 or run == name) and not is_own_word(name)
                yield "refuse" if sure else "warn", name


def _readings(words: str) -> Iterator[str]:
    """A name in Latin letters as it may stand in the register's digests: surname first or last, joined."""
    parts = re.split(r"[ .\-',_]+", words.casefold())
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            part = parts[first:last]
            yield "".join(part)
            if len(part) > 1:
                yield "".join([part[-1], *part[:-1]])


@cache
def confirmed() -> frozenset[str]:
    """Words and places of the institute's own list (`data/people/common_words.txt`, one a line) that are no names."""
    path = paths.people() / CONFIRMED
    return frozenset(path.read_text(encoding="utf-8").split()) if path.is_file() else frozenset()


def is_own_word(word: str) -> bool:
    """Whether the workbench says this by itself, in its texts or its published tables."""
    return word in _own_words()


@cache
def _own_english() -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", _own_words().casefold()))


@cache
def _own_words() -> str:
    """All Chinese that the workbench says by itself."""
    texts = [
        entry[language]
        for file in sorted((paths.PACKAGE / "terms").glob("*.toml"))
        for entry in terms.catalogue(file.stem).values()
        for language in terms.LANGUAGES
    ]
    texts += [terms.FONT_STACK, *(file.read_text(encoding="utf-8") for file in sorted(paths.reference().glob("*.csv")))]
    return BREAK.join(texts)
