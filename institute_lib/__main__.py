"""`python -m institute_lib …`: setting up needs only Python's standard library, everything else is in `cli`."""

import sys
from importlib.util import find_spec
from pathlib import Path

BAD_INPUT = 2


def main() -> int:
    """Set up, or run a command; a Python without the packages is told which one has them."""
    from institute_lib import environment

    own = environment.PROJECT / ".venv"
    if sys.argv[1:2] == ["setup"]:
        given = [word for word in sys.argv[2:] if word != "--tests"]
        environment.create(Path(given[0]) if given else own, tests="--tests" in sys.argv[2:])
        return 0
    if find_spec("pandas") is None:
        made = environment.python(own)
        todo = f"type {made} instead" if made.is_file() else f"make them with `{sys.executable} -m institute_lib setup`"
        sys.stderr.write(f"institute: {sys.executable} does not have the workbench's packages: {todo}\n")
        return BAD_INPUT
    from institute_lib import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
