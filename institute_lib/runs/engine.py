"""papermill's own engine, saving the notebook now and then instead of twice a cell.

papermill writes the whole notebook before and after each cell, which for a map and thirty cells is a third of a job's
time. Here a long notebook can still be looked at while it runs, and the last word is written however it ends.
"""

import time
from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

NAME = "institute"
SAVE_SECONDS = 30.0


class SparingEngine(NBClientEngine):
    """Executes through nbclient, as papermill does."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **settings: Any) -> None:
        save, last = nb_man.save, time.monotonic()

        def save_sparingly(**given: Any) -> None:
            nonlocal last
            if time.monotonic() - last > SAVE_SECONDS:
                save(**given)
                last = time.monotonic()

        nb_man.save = save_sparingly
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **settings)
        finally:
            nb_man.save = save  # papermill's own last save follows, of whatever was executed


papermill_engines.register(NAME, SparingEngine)
