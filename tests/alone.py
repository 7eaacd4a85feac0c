"""A program in a process of its own, and the most memory that it took."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# The program is started by a bare Python: on Linux a process begins its peak with that of the one that started it, and
# whoever measures here may have grown large before.
STARTER = (
    "import resource, subprocess, sys;"
    "done = subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True, capture_output=True, text=True);"
    "sys.stderr.write(done.stderr);"
    "print(done.stdout, end='');"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
)


def run_alone(program: str, *arguments: str | Path, env: Mapping[str, str] | None = None) -> tuple[str, int]:
    """What a program printed, and the peak in bytes of the largest process among it and those it waited for.

    Raises:
        CalledProcessError: it failed. AssertionError: it wrote to its standard error.
    """
    command = [sys.executable, "-c", STARTER, program, *map(str, arguments)]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    assert done.stderr == "", done.stderr
    *said, peak = done.stdout.splitlines()
    return "\n".join(said), int(peak)
