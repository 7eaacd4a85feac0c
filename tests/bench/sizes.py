"""How large the library is, beside the sizes it is meant to have: counted, not judged by a test.

Lines are all lines of the `.py` files. A private function counts as called once where its name stands once outside
its definition.
"""

import ast
import re
import statistics
import sys
from collections import Counter
from pathlib import Path

import institute_lib
from tests.bench.lines import Bound

LIBRARY = Path(institute_lib.__file__).parent
PROJECT = LIBRARY.parent

# Aims to reason from, in lines; the rest is `study`, `result`, `indicators` and the single modules.
AIMS = {
    "areas": 800,
    "tables": 700,
    "registers": 4_000,
    "disclosure": 900,
    "policy": 2_600,
    "retention": 2_000,
    "coverage": 1_300,
    "talent": 2_200,
    "charts": 1_300,
    "maps": 900,
    "brief": 900,
    "runs": 1_400,
    "kernels": 400,
    "release": 1_500,
    "demo": 1_300,
    "cli": 450,
}
ALL_LINES, ALL_FILES, PUBLIC_NAMES = 24_000, 120, 150
SHORT, LONG = 60, 400  # lines of a file: fewer needs a cause, more should be rare
FUNCTION = 8
LARGEST = 8


def measure(*, large: bool) -> list[Bound]:
    """Sizes of packages, files, functions and names, import cycles, and the environment's size."""
    del large
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(LIBRARY.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    return [
        *_lines({path: text.count("\n") for path, text in texts.items()}),
        *_functions(trees, "\n".join(texts.values())),
        _public(trees),
        Bound("import cycles between modules", len(cycles(_imports(trees))), 0, "cycles"),
        *_environment(),
    ]


def _lines(lines: dict[Path, int]) -> list[Bound]:
    packages: Counter[str] = Counter()
    for path, count in lines.items():
        packages[path.relative_to(LIBRARY).parts[0].removesuffix(".py")] += count
    alone = {path: count for path, count in lines.items() if path.name != "__init__.py"}
    short, long = (sum(test(count) for count in alone.values()) for test in (lambda n: n < SHORT, lambda n: n > LONG))
    return [
        Bound("lines of the library", sum(lines.values()), ALL_LINES, "lines"),
        Bound(
            "files of the library", len(lines), ALL_FILES, "files", f"median {statistics.median(lines.values()):.0f}"
        ),
        *(Bound(f"lines of {name}", packages[name], aim, "lines") for name, aim in AIMS.items()),
        Bound(f"files under {SHORT} lines, packages' own lists apart", short, 10, "files"),
        Bound(f"files over {LONG} lines", long, 10, "files"),
    ]


def _functions(trees: dict[Path, ast.Module], text: str) -> list[Bound]:
    functions = [
        node
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    words = Counter(re.findall(r"[A-Za-z_]\w*", text))
    private = [one.name for one in functions if one.name.startswith("_") and not one.name.startswith("__")]
    once = sum(words[name] <= 2 for name in private)
    lengths = [one.end_lineno - one.lineno + 1 for one in functions if one.end_lineno]
    return [
        Bound("median lines of a function", statistics.median(lengths), FUNCTION, "lines", f"{len(lengths)} functions"),
        Bound("private functions called once", once, len(private) // 3, "functions", f"of {len(private)}"),
    ]


def _public(trees: dict[Path, ast.Module]) -> Bound:
    names, examples = 0, 0
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                names += len(node.value.elts) if path.name == "__init__.py" and isinstance(node.value, ast.List) else 0
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                examples += ">>>" in (ast.get_docstring(node) or "")
    return Bound("public names of the packages", names, PUBLIC_NAMES, "names", f"{examples} with an example")


def _imports(trees: dict[Path, ast.Module]) -> dict[str, set[str]]:
    """Which modules each module imports when it is itself imported (imports inside functions come later).

    A package's list of names is left out: it imports its modules, and packages import one another in a tested order.
    """
    names = {
        path: ".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in trees if path.name != "__init__.py"
    }
    known, graph = set(names.values()), {}
    for path, tree in trees.items():
        if path not in names:
            continue
        found = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module} | {f"{node.module}.{one.name}" for one in node.names}
            elif isinstance(node, ast.Import):
                found |= {one.name for one in node.names}
        graph[names[path]] = (found & known) - {names[path]}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Pairs of modules that import one another, directly or through others."""
    reached: dict[str, set[str]] = {}
    for start, imported in graph.items():
        seen, rest = set(), list(imported)
        while rest:
            name = rest.pop()
            if name not in seen:
                seen.add(name)
                rest += graph.get(name, ())
        reached[start] = seen
    pairs = {
        tuple(sorted((one, other)))
        for one, seen in reached.items()
        for other in seen
        if one != other and one in reached.get(other, ())
    }
    return sorted(pairs)


def _environment() -> list[Bound]:
    """The size of what is installed, with the largest packages named."""
    installed = Path(sys.prefix)
    sizes: Counter[str] = Counter()
    for path in installed.rglob("*"):
        if path.is_file() and not path.is_symlink():
            parts = path.relative_to(installed).parts
            inside = parts[parts.index("site-packages") + 1] if "site-packages" in parts else parts[0]
            sizes[inside] += path.stat().st_size
    largest = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in sizes.most_common(LARGEST))
    return [Bound("the environment on disk", sum(sizes.values()) / 1e9, 2.0, "GB", f"MB: {largest}")]
