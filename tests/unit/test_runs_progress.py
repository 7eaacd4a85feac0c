import io
import json

import pytest

from institute_lib.errors import ParameterError
from institute_lib.runs.progress import Event, reporter

EVENTS = (
    Event("begin", total=2),
    Event("start", "01/a", running=1, total=2),
    Event("failed", "01/a", "ValueError in cell [3]", ended=1, failed=1, total=2, seconds=2.0),
    Event("done", "01/b", ended=2, failed=1, total=2, seconds=3.0, left=0.0),
    Event("end", ended=2, failed=1, total=2, seconds=3.0),
)


def told(style):
    stream = io.StringIO()
    tell = reporter(style, stream)
    for event in EVENTS:
        tell(event)
    return stream.getvalue()


def test_where_nobody_watches_there_are_plain_lines():
    assert told("auto") == told("lines")
    assert "[1/2] failed 01/a ValueError in cell [3] (2.0 s)" in told("lines").splitlines()


def test_json_lines_tell_every_event():
    lines = [json.loads(line) for line in told("json").splitlines()]
    assert [line["what"] for line in lines] == [event.what for event in EVENTS]


def test_the_bar_keeps_failures_on_their_own_line():
    assert "failed 01/a ValueError in cell [3]" in told("bar")
    assert "2/2" in told("bar")


def test_none_says_nothing():
    assert told("none") == ""


def test_an_unknown_style_is_refused():
    with pytest.raises(ParameterError, match="did you mean 'lines'"):
        reporter("line")
