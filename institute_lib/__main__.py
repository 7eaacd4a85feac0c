"""`python -m institute_lib …`: setting up needs only Python's standard library, everything else is in `cli`."""

import sys
from pathlib import Path


def main() -> int:
    if sys.argv[1:2] == ["setup"]:
        from institute_lib import environment

        environment.create(Path(*sys.argv[2:3]) if sys.argv[2:3] else environment.PROJECT / ".venv")
        return 0
    from institute_lib import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
