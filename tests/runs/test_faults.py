"""What can go wrong in the middle of a run, each with real kernels.

After each: every earlier result is whole, the summary is true, and the next run completes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from institute_lib import kernels, runs, terms
from institute_lib.errors import RunError
from institute_lib.runs import places
from tests.runs.conftest import Project

QUARTER, AREA, KEPT, BROKEN = "2025Q4", "320613", "01_first", "02_second"
ASKED = {"quarter": QUARTER, "areas": [AREA], "notebooks": [KEPT, BROKEN], "progress": "none"}
COMMAND = [sys.executable, "-m", "institute_lib", "run", QUARTER, "--areas", AREA, "--notebooks", KEPT, BROKEN]
MEMORY_GROUPS = Path("/sys/fs/cgroup")
SECONDS = 60


@pytest.fixture(scope="module")
def settled(tmp_path_factory) -> Path:
    """A project folder in which everything has run well once."""
    root = tmp_path_factory.mktemp("settled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTITUTE_HOME", str(root))
        patch.setattr(kernels, "library_changed", lambda: False)
        Project.in_folder(root)
        assert runs.run(**ASKED).exit_status == 0
    return root


@pytest.fixture
def project(settled, tmp_path, monkeypatch) -> Project:
    root = tmp_path / "project"
    shutil.copytree(settled, root)
    monkeypatch.setenv("INSTITUTE_HOME", str(root))
    monkeypatch.setattr(kernels, "library_changed", lambda: False)
    return Project(root)


def good_files(project) -> dict[str, bytes]:
    """What an earlier run left and no fault may touch: the files that a manifest names, and the manifests."""
    names = (*places.OUTPUTS, places.MANIFEST)
    return {
        path: content
        for path, content in project.snapshot().items()
        if Path(path).name in names and places.PRIVATE not in path
    }


def written_summary(project) -> dict:
    return json.loads((project.folder / places.SUMMARY).read_text(encoding="utf-8"))


def check_summary(project) -> None:
    """Each job that the summary calls done or current is there and whole; each failure stands beside its kept brief."""
    summary = written_summary(project)
    for job in summary["jobs"]:
        place = project.place(job["job"]["notebook"], job["job"]["area"])
        manifest, failure = places.intact_manifest(place), places.read_json(place / places.FAILURE)
        assert manifest is not None
        if job["state"] == "failed":
            assert (failure["run"], failure["kind"]) == (summary["run"], job["failure"]["kind"])
            assert (job["kept"], job["kept_run"]) == (manifest["finished"], manifest["run"])
        else:
            assert failure is None
            assert (manifest["run"] == summary["run"]) == (job["state"] == "done")
    assert not list(project.root.rglob(f"{places.PRIVATE}*"))


def next_run_completes(project) -> None:
    project.write_notebook(BROKEN, "mended = True")
    summary = runs.run(**ASKED)
    assert {outcome.state for outcome in summary.outcomes} <= {"done", "current"}
    assert summary.exit_status == 0
    assert {one.state for one in runs.status(quarter=QUARTER, areas=[AREA], notebooks=[KEPT, BROKEN])} == {"current"}
    check_summary(project)


def failure_of(project, *cells: str, kind: str, attempts: int = 1) -> runs.RunSummary:
    """A run in which one notebook holds these cells and fails in this way, while the other stays as it was."""
    before = good_files(project)
    project.write_notebook(BROKEN, *cells)
    summary = runs.run(**ASKED)
    assert [(outcome.failure.kind, outcome.attempts) for outcome in summary.failed] == [(kind, attempts)]
    assert good_files(project) == before
    check_summary(project)
    next_run_completes(project)
    return summary


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("raise KeyError('张三')", "KeyError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); bytearray(2**32)", "MemoryError"),
    ],
)
def test_a_notebooks_own_error_is_not_tried_again(project, cell, kind):
    summary = failure_of(project, cell, kind=kind)
    assert summary.failed[0].failure.cell == 4


def test_a_kernel_that_is_killed_each_time_is_tried_three_times(project):
    failure_of(project, "import os; os.kill(os.getpid(), 9)", kind="KernelDied", attempts=3)


@pytest.fixture
def memory_limit():
    """Cells that move the kernel into a control group of 100 MB more than it has and then fill 300 MB: the system's
    out-of-memory killer ends it. Where no group can be made, the cells send the signal that the killer sends."""
    folder = next((top for top in (MEMORY_GROUPS / "memory", MEMORY_GROUPS) if os.access(top, os.W_OK)), None)
    group = folder and folder / f"institute-test-{os.getpid()}"
    try:
        group.mkdir()
        limit = next(group / name for name in ("memory.limit_in_bytes", "memory.max") if (group / name).is_file())
    except (OSError, AttributeError, StopIteration):
        if group and group.is_dir():
            group.rmdir()
        yield "import os; os.kill(os.getpid(), 9)"
        return
    limit.write_text("100000000")
    yield f"import os\nopen('{group}/cgroup.procs', 'w').write(str(os.getpid()))\nfilled = b'x' * 300_000_000"
    deadline = time.monotonic() + SECONDS
    while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    group.rmdir()


def test_a_kernel_that_runs_out_of_memory_is_tried_again_and_the_last_time_alone(project, memory_limit):
    failure_of(project, memory_limit, kind="KernelDied", attempts=3)


@pytest.mark.parametrize(("limit", "kind"), [("cell_seconds", "CellTimeout"), ("notebook_seconds", "NotebookTimeout")])
def test_a_hung_kernel_is_ended_by_its_time_limit(project, limit, kind):
    plan = (project.root / "papermill_runs" / "quarterly.toml").read_text(encoding="utf-8")
    project.write_plan(plan.replace(f"[notebooks.{BROKEN}]", f"[notebooks.{BROKEN}]\n{limit} = 4"))
    begun = time.monotonic()
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    failure_of(project, deaf, kind=kind)
    assert time.monotonic() - begun < SECONDS


def test_what_a_notebook_leaves_running_ends_with_it(project, tmp_path):
    """A child, a child in a session of its own, and a grandchild whose parent is gone."""
    start = (
        "sleep 300 & echo $! >> {file}; setsid sleep 300 & echo $! >> {file}; (setsid sleep 300 & echo $! >> {file})"
    )
    cell = f"import subprocess; subprocess.run({start.format(file=tmp_path / 'pids')!r}, shell=True)"
    before = good_files(project)
    project.write_notebook(BROKEN, cell)
    assert runs.run(**ASKED).exit_status == 0
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 3
    assert [pid for pid in pids if not gone(pid)] == []
    assert {path for path, content in good_files(project).items() if before[path] != content} == {
        f"{QUARTER}/{BROKEN}/{AREA}/{name}" for name in (places.EXECUTED, places.MANIFEST)
    } | changed_briefs(project, before)
    check_summary(project)
    next_run_completes(project)


def changed_briefs(project, before) -> set[str]:
    """The brief of what ran names the hash of its inputs, so it may differ; that of the other notebook may not."""
    brief = f"{QUARTER}/{BROKEN}/{AREA}/{places.BRIEF}"
    return {brief} if good_files(project)[brief] != before[brief] else set()


@pytest.mark.parametrize("damage", ["", "{", '{"outputs": {}, "inputs": []}', "\x00"])
def test_a_damaged_manifest_runs_its_job_again_and_no_other(project, damage):
    before = good_files(project)
    (project.place(BROKEN, AREA) / places.MANIFEST).write_text(damage)
    (project.folder / places.SUMMARY).write_text(damage)
    summary = runs.run(**ASKED)
    assert {str(outcome.job): outcome.state for outcome in summary.outcomes} == {
        f"{KEPT}/{AREA}": "current",
        f"{BROKEN}/{AREA}": "done",
    }
    assert {path: content for path, content in good_files(project).items() if KEPT in path} == {
        path: content for path, content in before.items() if KEPT in path
    }
    check_summary(project)


def gone(pid: int, within: float = 5.0) -> bool:
    """Whether a process ends in time; a zombie has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


class Waiting:
    """`institute run` in a process of its own, held up in a cell of one notebook."""

    def __init__(self, project: Project, folder: Path):
        self.marker, self.go = folder / "waiting", folder / "go"
        project.write_notebook(
            BROKEN,
            f"import os, time\nfrom pathlib import Path\nPath({str(self.marker)!r}).write_text(str(os.getpid()))\n"
            f"while not Path({str(self.go)!r}).exists(): time.sleep(0.05)",
        )
        # What a shell starts in the background ignores Ctrl-C, and so would all that these tests start.
        command = ["env", "--default-signal=INT", *COMMAND, "--log", "none"]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True)
        deadline = time.monotonic() + SECONDS
        while not (self.marker.is_file() and self.marker.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.kernel = int(self.marker.read_text())
        self.tree = [one.pid for one in psutil.Process(self.process.pid).children(recursive=True)]

    def ended(self) -> tuple[int, str]:
        """Exit status and what it said, once it has ended."""
        _, said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_is_ended_leaves_no_process_and_nothing_half_written(project, tmp_path, number):
    before = good_files(project)
    run = Waiting(project, tmp_path)
    assert run.kernel in run.tree
    if number == signal.SIGINT:  # as Ctrl-C does: to the whole group
        os.killpg(run.process.pid, number)
    else:
        run.process.send_signal(number)
    status, said = run.ended()
    assert [pid for pid in run.tree if not gone(pid)] == []
    assert good_files(project) == before
    summary = written_summary(project)
    assert {(job["job"]["notebook"], job["state"]) for job in summary["jobs"]} <= {(KEPT, "current")}
    assert summary["state"] == ("running" if number == signal.SIGKILL else "interrupted")
    if number != signal.SIGKILL:
        assert status == 130
        assert said.strip() == f"institute: {terms.text('cli.interrupted')}"
    next_run_completes(project)


def test_a_second_run_is_refused_by_name_and_leaves_the_first_alone(project, tmp_path):
    run = Waiting(project, tmp_path)
    with pytest.raises(RunError, match=f"{QUARTER} is being run by process {run.process.pid} on"):
        runs.run(**ASKED)
    run.go.touch()
    assert run.ended()[0] == 0
    assert written_summary(project)["counts"].items() >= {"done": 1, "current": 1, "failed": 0}.items()
    check_summary(project)


ON_A_SMALL_DISK = """
import json, shutil, sys
from pathlib import Path
from institute_lib import kernels, runs
kernels.library_changed = lambda: False
home, broken, out, asked = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])

def keep(name):
    shutil.copytree(home / "papermill_runs", out / name)

if __name__ == "__main__":
    shutil.copytree(out / "before", home / "papermill_runs", dirs_exist_ok=True)
    for name in ("full", "again"):
        runs.run(**asked)
        (home / "papermill_runs" / "filler").unlink(missing_ok=True)
        keep(name)
        shutil.copy(broken, home / "notebooks")
"""


def test_a_full_disk_leaves_everything_earlier_readable(project, tmp_path):
    """The runs lie on a disk of 60 MB that a cell fills to its last byte."""
    shutil.copytree(project.root / "papermill_runs", tmp_path / "out" / "before")
    mended = tmp_path / f"{BROKEN}.ipynb"
    shutil.copy(project.root / "notebooks" / f"{BROKEN}.ipynb", mended)
    fill = f"with open({str(project.root / 'papermill_runs' / 'filler')!r}, 'wb', buffering=0) as file:\n    "
    project.write_notebook(BROKEN, fill + "while True: file.write(bytes(4096))", "mended = True")
    script = tmp_path / "script.py"
    script.write_text(ON_A_SMALL_DISK, encoding="utf-8")
    mount = 'mount -t tmpfs -o size=60m tmpfs "$1/papermill_runs" && exec "$0" "$2" "$1" "$3" "$4" "$5"'
    given = [sys.executable, str(project.root), str(script), str(mended), str(tmp_path / "out"), json.dumps(ASKED)]
    subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, *given], check=True)

    before = good_files(project)
    for name, states in (("full", ["current", "failed"]), ("again", ["current", "done"])):
        shutil.rmtree(project.root / "papermill_runs")
        shutil.copytree(tmp_path / "out" / name, project.root / "papermill_runs")
        summary = written_summary(project)
        assert (summary["state"], [job["state"] for job in summary["jobs"]]) == ("finished", states)
        if name == "full":
            assert summary["failures"][0]["kind"] in ("OSError", "DiskFull")
            assert good_files(project) == before
            assert (project.folder / "index.html").stat().st_size > 1000
    check_summary(project)
