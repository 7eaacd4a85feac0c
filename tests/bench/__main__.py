"""`python -m tests.bench [name …] [--large]`: each benchmark beside a peer in the same run, as a ratio.

A time alone says more about the computer than about the code, so nothing here is a timed test: the table shows what
was measured, whatever it is.
"""

import argparse
import os
import sys
import time
from importlib import import_module
from pathlib import Path

from tqdm import tqdm

from institute_lib.errors import ParameterError, nearest
from tests.bench.lines import Bound, Line, Rate, show_bounds, show_lines, show_rates

BENCHES = (
    "sizes",
    "imports",
    "registers",
    "office",
    "hazard",
    "pilot",
    "staggered",
    "access",
    "coverage",
    "notebooks",
    "quarter",
    "briefs",
    "province",
    "policies",
    "simulation",
    "attack",
    "year",
)

PLACES = ("home", "code")


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks named (all, if none is) and print tables of ratios, of limits held, and of simulated rates."""
    asked = read(arguments)
    begun, found = time.perf_counter(), []
    with tqdm(total=len(asked.names), unit="benchmark", file=sys.stderr, leave=False, position=0) as bar:
        for name in asked.names:
            bar.set_description(name)
            given = {key: Path(value) for key, value in vars(asked).items() if key in PLACES and value}
            places = given if name == "attack" else {}
            found += import_module(f"tests.bench.{name}").measure(large=asked.large, **places)
            bar.update()
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    spent = f"{time.perf_counter() - begun:.0f} s on {os.cpu_count()} processors{load}"
    shown = ((Line, show_lines), (Bound, show_bounds), (Rate, show_rates))
    blocks = [show([one for one in found if isinstance(one, kind)]) for kind, show in shown]
    for block in (*blocks, spent):
        sys.stdout.write(f"{block}\n\n" if block else "")
    return 0


def read(arguments: list[str] | None) -> argparse.Namespace:
    """The benchmarks asked for.

    Raises:
        ParameterError: no such benchmark.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--large", action="store_true", help="larger sizes and 1,000 simulated draws; takes long")
    parser.add_argument("--home", help="attack: a project home with the runs, instead of making them")
    parser.add_argument("--code", help="attack: another checkout, whose code makes the runs")
    asked = parser.parse_args(arguments)
    for name in asked.names:
        if name not in BENCHES:
            raise ParameterError(f"benchmark {name!r}: {nearest(name, BENCHES)}")
    asked.names = asked.names or list(BENCHES)
    return asked


if __name__ == "__main__":
    sys.exit(main())
