"""What a run says while it runs: a bar in a terminal, plain lines elsewhere, JSON lines when asked."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from institute_lib import terms
from institute_lib.errors import ParameterError
from institute_lib.runs import places

logger = logging.getLogger(__name__)

STYLES = ("auto", "bar", "lines", "json", "none")


@dataclass(frozen=True)
class Event:
    """One moment of a run.

    Attributes:
        what: "begin", "start", "done", "current", "failed", "not_reported", "no_register", "retry" or "end".
        job: such as "03_retention_drivers/320613"; empty for the run itself.
        detail: where, what and why, for what failed.
        ended, running, failed, total: numbers of jobs so far.
        seconds: since the run began; `left` the estimated rest, None while nothing can be said.
    """

    what: str
    job: str = ""
    detail: str = ""
    ended: int = 0
    running: int = 0
    failed: int = 0
    total: int = 0
    seconds: float = 0.0
    left: float | None = None


Reporter = Callable[[Event], None]


def reporter(style: str | Reporter = "auto", stream: IO[str] | None = None) -> Reporter:
    """Something that tells events to a person or a program.

    Raises:
        ParameterError: an unknown style.
    """
    if callable(style):
        return style
    if style not in STYLES:
        raise terms.error(ParameterError, "runs.error_progress", style=style, nearest=(style, STYLES))
    stream = stream or sys.stderr
    if style == "auto":
        style = "bar" if stream.isatty() else "lines"
    return {"bar": Bar, "lines": Lines, "json": JsonLines, "none": lambda _stream: lambda _event: None}[style](stream)


@contextmanager
def logged(path: Path, report: Reporter) -> Iterator[Reporter]:
    """Tell each event to somebody, and keep it as a line of a file."""
    places.make_folder(path.parent)
    with path.open("w", encoding="utf-8") as file:
        places.share(path)
        keep = Lines(file)

        def both(event: Event) -> None:
            report(event)
            try:
                keep(event)
            except OSError as error:  # a full disk: the run itself says so
                logger.warning("%s: the log could not be written: %s", path.name, error.strerror)

        yield both


class Lines:
    """One line an event that a reader of a log wants."""

    def __init__(self, stream: IO[str]):
        self.stream = stream

    def __call__(self, event: Event) -> None:
        if event.what in ("start", "end", "current"):
            return
        place = f"[{event.ended}/{event.total}] " if event.job else ""
        left = f", {event.left:.0f} s left" if event.left is not None and event.what == "done" else ""
        words = " ".join(part for part in (event.what, event.job, event.detail) if part)
        self.stream.write(f"{place}{words} ({event.seconds:.1f} s{left})\n")
        self.stream.flush()


class JsonLines:
    """Each event as one line of JSON, with the time."""

    def __init__(self, stream: IO[str]):
        self.stream = stream

    def __call__(self, event: Event) -> None:
        self.stream.write(json.dumps({"time": round(time.time(), 3), **asdict(event)}, ensure_ascii=False) + "\n")
        self.stream.flush()


class Bar:
    """A tqdm bar with jobs done, running and failed, and the time left; failures stay on lines of their own."""

    def __init__(self, stream: IO[str]):
        self.stream = stream
        self.bar = None

    def __call__(self, event: Event) -> None:
        from tqdm import tqdm

        if event.what == "begin":
            self.bar = tqdm(total=event.total, file=self.stream, unit="job", dynamic_ncols=True, leave=True)
        if self.bar is None:
            return
        if event.what in ("failed", "retry"):
            self.bar.write(f"{event.what} {event.job} {event.detail}", file=self.stream)
        self.bar.n = event.ended
        self.bar.set_postfix_str(f"running {event.running}, failed {event.failed}", refresh=True)
        if event.what == "end":
            self.bar.close()
