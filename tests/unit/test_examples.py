"""The examples in docstrings run and print what stands there."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import institute_lib

LIBRARY = Path(institute_lib.__file__).parent
WITH_EXAMPLES = [
    ".".join(("institute_lib", *path.relative_to(LIBRARY).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(LIBRARY.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_print_what_they_say(module):
    found = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0
