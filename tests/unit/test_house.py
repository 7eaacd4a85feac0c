"""The house rules: who may import whom, what stays light, where words live."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import institute_lib

LIBRARY = Path(institute_lib.__file__).parent
ORDER = institute_lib.MODULES
HAN = re.compile(r"[\u4e00-\u9fff]")


def part_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST) -> set[str]:
    parts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "institute_lib":
            parts |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("institute_lib."):
            parts.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            parts |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("institute_lib.")}
    return parts & set(ORDER)


def modules() -> list[Path]:
    return [path for path in sorted(LIBRARY.rglob("*.py")) if part_of(path) in ORDER]


def test_imports_point_from_a_room_to_those_before_it():
    wrong = [
        f"{path.relative_to(LIBRARY)} imports {other}"
        for path in modules()
        for other in imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        if ORDER.index(other) > ORDER.index(part_of(path))
    ]
    assert wrong == []


def test_every_room_exists():
    missing = [name for name in ORDER if not (LIBRARY / f"{name}.py").is_file() and not (LIBRARY / name).is_dir()]
    assert missing == []


def test_importing_the_library_and_its_analysis_packages_loads_nothing_heavy():
    parts = "import institute_lib; from institute_lib import policy, retention, coverage, talent, cli"
    heavy = "{'statsmodels', 'plotly', 'geopandas', 'duckdb', 'diff_diff', 'papermill', 'pandera', 'scipy'}"
    code = f"import sys; {parts}; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_readers_chinese_stands_in_the_word_catalogues_alone():
    """Docstrings and comments may quote a term; parts that match Chinese data hold its words."""
    offenders = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
            if is_text and HAN.search(node.value) and part_of(path) not in SPEAKS_CHINESE_DATA:
                offenders.append(f"{path.relative_to(LIBRARY)}:{node.lineno} {node.value[:30]!r}")
    assert offenders == []


# Packages that read or write Chinese data (headers, division names, numerals, invented names), not readers' sentences.
SPEAKS_CHINESE_DATA = {"terms", "areas", "registers", "demo", "disclosure", "release"}
