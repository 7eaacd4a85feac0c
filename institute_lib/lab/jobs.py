"""Jobs that are started or scheduled in JupyterLab: jupyter-scheduler shows them, the quarterly run executes them.

`QuarterRun` is the execution manager that jupyter-scheduler asks for (its own extension point). The parameters of a job
say for which areas and which quarter; everything else is the plan's, so that a job leaves the same brief in the same
place as `institute run`.
"""

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.executors import ExecutionManager
from jupyter_scheduler.models import JobFeature, RuntimeEnvironment

from institute_lib import paths, runs, tables, terms
from institute_lib.errors import ParameterError, RunError
from institute_lib.runs import places
from institute_lib.runs.plan import NotebookPlan, resolved_quarter

PARAMETERS = ("area", "quarter", "language")
FORMATS = {"ipynb": "Notebook", "html": "HTML"}
WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 3600
SUPPORTED = (JobFeature.job_name, JobFeature.parameters, JobFeature.output_formats, JobFeature.job_definition)


class QuarterRun(ExecutionManager):
    """Executes a job as a run of its notebook."""

    def execute(self) -> None:
        """Run the notebook for the areas and the quarter that the job's parameters name.

        Raises:
            InstituteError: wrong parameters, or a job of the run failed; JupyterLab shows the message.
        """
        given = {name: str(value).strip("\"' ") for name, value in (self.model.parameters or {}).items()}
        for name in given:
            if name not in PARAMETERS:
                raise terms.error(ParameterError, "runs.error_job_parameter", name=name, nearest=(name, PARAMETERS))
        name = Path(self.model.input_filename).stem
        plan = runs.load_plan()
        if name not in [one.name for one in plan.notebooks]:
            plan = replace(plan, notebooks=(*plan.notebooks, NotebookPlan(name)))
        quarter = resolved_quarter(given.get("quarter") or tables.covered_quarters()[-1])
        areas = [one for one in re.split(r"[,，、;；\s]+", given.get("area", "")) if one] or None
        summary = _run_when_free(plan, quarter, areas, name, given.get("language"))
        self._hand_over(summary)
        if summary.failed:
            said = [f"{one.job}: {one.failure.say(summary.language)}" for one in summary.failed]
            raise RunError("\n".join(said))

    def _hand_over(self, summary: runs.RunSummary) -> None:
        """Give jupyter-scheduler the files that the job's page opens: of the first area, or of the one that failed."""
        outcome = next(iter((*summary.failed, *summary.outcomes)))
        place = summary.folder / outcome.job.notebook / outcome.job.area
        for name, found in (("ipynb", (places.FAILED, places.EXECUTED)), ("html", (places.BRIEF,))):
            file = next((place / one for one in found if (place / one).is_file()), None)
            if file and name in self.staging_paths:
                shutil.copyfile(file, self.staging_paths[name])

    @classmethod
    def supported_features(cls) -> dict[JobFeature, bool]:
        return {feature: feature in SUPPORTED or feature.value in ("stop_job", "delete_job") for feature in JobFeature}

    def validate(self, input_path: str) -> bool:
        """jupyter-scheduler calls it on the class. What is wrong with a notebook, the run says."""
        return Path(input_path).suffix == ".ipynb"


def _run_when_free(
    plan: runs.Plan, quarter: str, areas: list[str] | None, notebook: str, language: str | None
) -> runs.RunSummary:
    """Two jobs of one quarter take turns."""
    folder = paths.run_folder(quarter, language or plan.language)
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while places.holder(folder) and time.monotonic() < deadline:
        time.sleep(WAIT_SECONDS)
    given = {"areas": areas, "notebooks": [notebook], "language": language}
    return runs.run(plan, quarter=quarter, **given, progress="none")


class OneEnvironment(EnvironmentManager):
    """The environment that JupyterLab itself runs in, and no other."""

    def list_environments(self) -> list[RuntimeEnvironment]:
        return [
            RuntimeEnvironment(
                name="institute",
                label="institute",
                description="institute",
                file_extensions=["ipynb"],
                output_formats=list(FORMATS),
                metadata={},
                compute_types=None,
                default_compute_type=None,
                utc_only=None,
            )
        ]

    def manage_environments_command(self) -> str:
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        return FORMATS
