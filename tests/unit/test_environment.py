"""pyproject.toml, requirements.txt and environment.yml ask for the same packages, and name no address."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from institute_lib import environment

PROJECT = Path(__file__).parents[2]
# Conda's own name where it differs from PyPI's.
CONDA_NAMES = {"python-duckdb": "duckdb"}


def declared() -> dict[str, Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def pinned(requirements: Path = environment.TESTING) -> dict[str, list[str]]:
    versions: dict[str, list[str]] = {}
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", line):
            versions.setdefault(canonicalize_name(match[1]), []).append(match[2])
    return versions


def conda() -> dict[str, Requirement]:
    listed = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    plain = [line for line in listed if isinstance(line, str)]
    from_pip = next(line["pip"] for line in listed if isinstance(line, dict))
    requirements = [Requirement(re.sub(r"(?<![<>=!])=(?!=)", "==", line)) for line in [*plain, *from_pip]]
    return {canonicalize_name(CONDA_NAMES.get(item.name, item.name)): item for item in requirements}


def test_every_declared_package_is_pinned_inside_its_declared_range():
    for name, requirement in declared().items():
        assert name in pinned(), f"{name} is declared and not pinned: run make requirements"
        assert all(version in requirement.specifier for version in pinned()[name]), name


def test_running_needs_fewer_packages_than_testing_in_the_same_versions():
    running, testing = pinned(environment.RUNNING), pinned(environment.TESTING)
    assert {name: testing[name] for name in running} == running
    assert {"pytest", "lifelines", "playwright"} <= testing.keys() - running.keys()


@pytest.mark.parametrize("requirements", [environment.RUNNING, environment.TESTING], ids=["running", "testing"])
def test_every_pin_carries_a_hash(requirements):
    text = requirements.read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


def test_conda_users_get_the_same_packages_in_the_same_ranges():
    listed = conda()
    assert str(listed.pop("python").specifier) == ">=3.11"
    listed.pop("pip")
    assert {name: str(item.specifier) for name, item in listed.items()} == {
        name: str(item.specifier) for name, item in declared().items()
    }


def test_no_tracked_file_names_a_package_registry():
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    registries = re.compile("|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(org|com)"]))
    paths = [PROJECT / name for name in names if name and (PROJECT / name).is_file()]
    assert len(paths) > 20
    found = [path.name for path in paths if registries.search(path.read_bytes().decode("utf-8", "ignore"))]
    assert found == []


@pytest.mark.parametrize(("tests", "stamp"), [(False, "installed-from"), (True, "tested-from")])
def test_an_up_to_date_environment_is_left_alone(tmp_path, tests, stamp):
    (tmp_path / stamp).write_text(environment._fingerprint(tests))
    said = []
    assert environment.create(tmp_path, tests=tests, say=said.append) is False
    assert said == [f"environment {tmp_path.name} is up to date"]
