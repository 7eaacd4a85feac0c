"""南通市社会工作人才发展研究院 · research workbench: the shared library under the notebooks.

Packages and modules are imported on first use, so that `import institute_lib` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

MODULES = (
    "errors",
    "paths",
    "sharing",
    "terms",
    "indicators",
    "result",
    "results",
    "areas",
    "parameters",
    "tables",
    "registers",
    "demo",
    "policy",
    "retention",
    "coverage",
    "talent",
    "disclosure",
    "charts",
    "maps",
    "brief",
    "kernels",
    "runs",
    "release",
    "study",
    "overview",
    "lab",
    "cli",
)

if TYPE_CHECKING:
    from institute_lib import (  # noqa: F401
        areas,
        brief,
        charts,
        cli,
        coverage,
        demo,
        disclosure,
        errors,
        indicators,
        kernels,
        lab,
        maps,
        overview,
        parameters,
        paths,
        policy,
        registers,
        release,
        result,
        results,
        retention,
        runs,
        sharing,
        study,
        tables,
        talent,
        terms,
    )


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return import_module(f"institute_lib.{name}")
    raise AttributeError(f"module 'institute_lib' has no part {name!r}; parts: {', '.join(MODULES)}")


def __dir__() -> list[str]:
    return sorted(MODULES)
