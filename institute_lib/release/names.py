"""Names of the register, known to the scan by keyed digests only (`registers.digests`)."""

import re
from collections.abc import Iterator
from functools import cache

from institute_lib import paths, terms
from institute_lib.registers.digests import Digests, load
from institute_lib.release.findings import Finding, found

_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff](?:[· \n\t]{0,3}[\u3400-\u9fff\U00020000-\U0003ffff])+")
_LATIN = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,30}(?:[ .\-'][A-Za-z]{1,30}){1,3}")
_HEX = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,128}(?![0-9a-fA-F])")
LONGEST_RUN = 2_000


@cache
def known() -> Digests:
    """The digests of this computer; read once."""
    return load()


def find_names(plain: str, where: str) -> Iterator[Finding]:
    """Names of the register, and hashes of its identity numbers whatever field they stand in."""
    digests = known()
    if not digests:
        return
    for name in _candidates(plain, digests.lengths):
        if digests.is_name(name):
            # 高峰 is a name and a word: what the workbench itself says in its texts only warns.
            yield found("warn" if name in _own_words() else "refuse", where, name, "name")
    for match in _HEX.finditer(plain):
        if digests.is_hash(match[0].lower()):
            yield found("refuse", where, match[0], "identity_hash")


def _candidates(plain: str, lengths: frozenset[int]) -> set[str]:
    """Every piece of the text that is as long as a name of the register."""
    found_: set[str] = set()
    for match in _HAN.finditer(plain):
        run = re.sub(r"[· \n\t]", "", match[0])
        for length in lengths:
            found_.update(run[at : at + length] for at in range(len(run) - length + 1))
    for match in _LATIN.finditer(plain):
        words = re.split(r"[ .\-']", match[0].casefold())
        for first in range(len(words)):
            for last in range(first + 2, len(words) + 1):
                joined = "".join(words[first:last])
                if len(joined) in lengths:
                    found_.add(joined)
    return found_


@cache
def _own_words() -> str:
    """All Chinese that the workbench says by itself."""
    texts = [
        entry[language]
        for file in sorted((paths.PACKAGE / "terms").glob("*.toml"))
        for entry in terms.catalogue(file.stem).values()
        for language in terms.LANGUAGES
    ]
    texts += [file.read_text(encoding="utf-8") for file in sorted(paths.reference().glob("*.csv"))]
    return "\n".join(texts)
