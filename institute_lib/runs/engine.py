"""papermill's own engine, with what a quarterly run needs besides: fewer saves, bounded output, JupyterLab's numbers.

papermill writes the whole notebook before and after each cell, which for a map and thirty cells is a third of a job's
time. Here a long notebook can still be looked at while it runs, and the last word is written however it ends.
"""

import time
from itertools import groupby
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

NAME = "institute"
SAVE_SECONDS = 30.0
PUBLISHED_SECONDS = 60  # how long a cell's last output may come after the word that the cell has ended
MOST_OUTPUT = 50_000_000  # characters of all outputs of a notebook; the project's own leave less than a tenth
KEPT_OUTPUT = 10_000  # characters of the output that goes over
INJECTED = "injected-parameters"


class NotebookStopped(Exception):
    """The notebook ended before its last cell without an error of its own; `kind` says how."""

    def __init__(self, kind: str):
        self.kind = kind
        super().__init__(kind)


class Client(PapermillNotebookClient):
    """Executes cells through nbclient, as papermill does."""

    output_size = 0

    async def async_execute_cell(self, cell: Any, cell_index: int, *_given: Any, **_settings: Any) -> Any:
        """One cell. The cell in which papermill hands over parameters takes no number: the others keep JupyterLab's."""
        injected = INJECTED in cell.metadata.get("tags", ())
        try:
            await super().async_execute_cell(cell, cell_index, store_history=not injected)
        except CellTimeoutError as error:
            raise NotebookStopped("OutputLost" if "waiting for IOPub output" in str(error) else "CellTimeout") from None
        except DeadKernelError:
            self._check_output()
            raise
        finally:
            if "outputs" in cell:
                cell.outputs = _joined(cell.outputs, KEPT_OUTPUT if self.output_size > MOST_OUTPUT else None)
        self._check_output()
        if injected:
            cell.execution_count = None
        return cell

    def _check_output(self) -> None:
        if self.output_size > MOST_OUTPUT:
            raise NotebookStopped("TooMuchOutput") from None

    execute_cell = run_sync(async_execute_cell)

    async def _check_raise_for_error(self, cell: Any, cell_index: int, exec_reply: Any) -> None:
        payload = (exec_reply or {}).get("content", {}).get("payload", ())
        if any(one.get("source") == "ask_exit" for one in payload):  # `exit()`: the kernel ends some time after it
            raise NotebookStopped("NotebookExit")
        await super()._check_raise_for_error(cell, cell_index, exec_reply)

    def output(self, outs: list, msg: dict[str, Any], *given: Any) -> Any:
        """Take one output. The one that goes over the limit is cut and ends the kernel; what follows it is left."""
        if self.output_size > MOST_OUTPUT:
            return None
        self.output_size += _size(msg["content"])
        if self.output_size > MOST_OUTPUT:
            text = str(msg["content"].get("text") or "")[:KEPT_OUTPUT]
            msg = {**msg, "msg_type": "stream", "content": {"name": "stderr", "text": f"{text}\n…"}}
            msg["header"] = {**msg["header"], "msg_type": "stream"}
            self.km.end_now()
        return super().output(outs, msg, *given)


def _size(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict | list | tuple):
        parts = content.values() if isinstance(content, dict) else content
        return 10 + sum(map(_size, parts))
    return 10


def _joined(outputs: list, most: int | None) -> list:
    """Text that a cell printed piece by piece as one output, as JupyterLab shows it; no more of it than `most`."""
    joined = []
    for name, pieces in groupby(outputs, key=lambda one: one.get("name")):
        found = list(pieces)
        if name:
            found[0]["text"] = "".join(one["text"] for one in found)[:most]
            found = found[:1]
        joined += found
    return joined


class InstituteEngine(Engine):
    """Executes a notebook with `Client`, saving it now and then."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        start_timeout: int,
        execution_timeout: int,
        kernel_manager_class: type,
        **_settings: Any,
    ) -> None:
        """Called by papermill, with what `papermill.execute_notebook` was given."""
        save, last = nb_man.save, time.monotonic()

        def save_sparingly(**given: Any) -> None:
            nonlocal last
            if time.monotonic() - last > SAVE_SECONDS:
                save(**given)
                last = time.monotonic()

        nb_man.save = save_sparingly
        try:
            Client(
                nb_man,
                kernel_name=kernel_name,
                kernel_manager_class=kernel_manager_class,
                startup_timeout=start_timeout,
                timeout=execution_timeout,
                iopub_timeout=PUBLISHED_SECONDS,
            ).execute()
        finally:
            nb_man.save = save  # papermill's own last save follows, of whatever was executed


papermill_engines.register(NAME, InstituteEngine)
