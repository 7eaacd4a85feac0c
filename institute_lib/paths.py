"""The one place that knows where things are.

`root()` is the project's folder: the one named by INSTITUTE_HOME, else the folder above this package. Everything
else hangs below it, so a test points INSTITUTE_HOME at a temporary folder and nothing real is touched.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).parent


def root() -> Path:
    """The project's top folder."""
    return Path(os.environ.get("INSTITUTE_HOME") or PACKAGE.parent).absolute()


def notebooks() -> Path:
    return root() / "notebooks"


def reference() -> Path:
    """Published facts and division lists; always the project's own, they ship with the code."""
    own = root() / "data" / "reference"
    return own if own.is_dir() else PACKAGE.parent / "data" / "reference"


def demo() -> Path:
    return root() / "data" / "demo"


def registers() -> Path:
    """Imported registers, pseudonymised: `<table>/<snapshot date>.parquet`."""
    return root() / "data" / "registers"


def approved_boundaries() -> Path:
    """Where an approved boundary file, put there by hand, takes the place of the package's polygons."""
    return root() / "data" / "boundaries"


def cache() -> Path:
    """Derived files that may be deleted at any time."""
    return root() / ".cache"


def runs() -> Path:
    return root() / "papermill_runs"


def run_folder(quarter: str, language: str = "zh") -> Path:
    """`papermill_runs/2025Q4`, or `papermill_runs/2025Q4-en` for a run in English: one never overwrites the other."""
    return runs() / (quarter if language == "zh" else f"{quarter}-{language}")


def plan() -> Path:
    """The plan that comes with the workbench; an upgrade may change it."""
    return runs() / "quarterly.toml"


def own_plan() -> Path:
    """What the institute changes in the plan: never part of an upgrade, so that `git pull` meets no conflict."""
    return runs() / "institute.toml"


def key() -> Path:
    """The pseudonym key: outside the project tree, so that no copy of the project carries it."""
    default = Path.home() / ".config" / "institute" / "pseudonym.key"
    return Path(os.environ.get("INSTITUTE_KEY_FILE", default))


def digests() -> Path:
    """Keyed digests of the register's names, for the release scan: beside the key, outside the project tree."""
    return key().with_name("register.digests")


def person_key() -> Path:
    """One's own key for signing releases: outside the project tree, beside the pseudonym key."""
    return Path(os.environ.get("INSTITUTE_PERSON_KEY_FILE", key().with_name("person.key")))


def people() -> Path:
    """Public keys of those who may sign a release; they belong in the repository."""
    return root() / "data" / "people"
