"""How a division's name may be spelled, and the one key that all its spellings share."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from institute_lib.areas.register import Area

FULL, SHORT = 0, 1
_SEPARATORS = re.compile(r"[\s/\\·・,，、>_'’‘\-]+")


@dataclass(frozen=True)
class Speller:
    """Reduces spellings to keys: width, case, separators and traditional characters make no difference."""

    traditional: dict[str, str]
    _table: dict[int, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_table", str.maketrans(self.traditional))

    def key(self, text: str) -> str:
        """The key of a spelling; a twelve-digit county code of the statistical list gives its six digits."""
        plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).translate(self._table).casefold()
        return plain[:6] if re.fullmatch(r"\d{6}0{6}", plain) else plain


def forms(area: "Area", parents: "list[Area]", other_names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Every spelling of an area with its tier: `FULL` names win over `SHORT` ones.

    Args:
        area: the area.
        parents: those it lies in, nearest first; their names may stand before its own.
        other_names: aliases.
    """
    yield area.code, FULL
    yield from ((name, FULL) for name in other_names)
    prefixes = ["".join(parts) for parts in product(*(("", p.name_zh, short(p)) for p in reversed(parents)))]
    for name, tier in ((area.name_zh, FULL), (short(area), SHORT)):
        yield from ((prefix + name, tier) for prefix in prefixes)
    yield from english(area)


def short(area: "Area") -> str:
    """The name without the character that says what it is; two-character names and zones have no short form."""
    stays = area.level == "zone" or len(area.name_zh) < 3
    return area.name_zh if stays else area.name_zh[:-1]


def english(area: "Area") -> Iterator[tuple[str, int]]:
    """The English name, and the same without (a city: with) the word that says what it is."""
    yield area.name_en, FULL
    if area.level == "city":
        yield f"{area.name_en} City", FULL
    elif area.level != "zone":
        yield area.name_en.rsplit(" ", 1)[0], SHORT
