"""The cost of `import institute_lib`, beside that of `import pandas`."""

import subprocess
import sys

from tests.bench.lines import Line
from tests.bench.timing import steps

REPETITIONS = 5
TIMER = "import time; begun = time.perf_counter(); import {module}; print(time.perf_counter() - begun)"


def measure(*, large: bool) -> list[Line]:
    """One line; each import in a Python of its own, whose start is not counted."""
    found: dict[str, list[float]] = {"institute_lib": [], "pandas": []}
    for _ in steps(range(3 * REPETITIONS if large else REPETITIONS), "imports"):
        for module, times in found.items():
            times.append(seconds_to_import(module))
    ours, peer = (sorted(times)[len(times) // 2] for times in found.values())
    return [Line("import institute_lib", ours, "import pandas", peer, "rooms are imported when first used")]


def seconds_to_import(module: str) -> float:
    """How long a new Python takes to import a module."""
    command = [sys.executable, "-c", TIMER.format(module=module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
