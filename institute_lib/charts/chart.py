"""A chart: the figure, the protected view behind it, and its finding in words."""

from dataclasses import dataclass, field
from typing import Any

from institute_lib.disclosure import Protected, show
from institute_lib.errors import DisclosureError

CHART_MIME = "application/vnd.institute.chart+json"
PLOTLY_MIME = "application/vnd.plotly.v1+json"
CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
    "displayModeBar": False,
}


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure that says itself: in Jupyter it draws, in a brief it brings its table, its words and its source.

    Attributes:
        figure: the plotly figure; it shows no number that `table` does not hold.
        table: the protected view that it was drawn from.
        title: the chart's title, plain text.
        alt: its finding in words, for readers who do not see it.
        source: the line under it.
        svg: a static picture (maps), shown where no script runs.
        notes: lines under the chart; those of `table` are added.
        public: what takes its place when the brief is released, where this chart may not leave (maps).
    """

    figure: Any
    table: Protected
    title: str
    alt: str
    source: str = ""
    svg: str | None = None
    notes: tuple[str, ...] = ()
    language: str = "zh"
    public: "Chart | None" = None
    config: dict[str, Any] = field(default_factory=lambda: dict(CONFIG), init=False)

    def __post_init__(self) -> None:
        require_protected(self.table)

    def all_notes(self) -> tuple[str, ...]:
        """The chart's own notes, then those of its table."""
        return (*self.notes, *(note for note in self.table.notes(self.language) if note not in self.notes))

    def to_json(self) -> dict[str, Any]:
        """Everything a brief needs, as plain JSON types."""
        content = {
            "title": self.title,
            "alt": self.alt,
            "source": self.source,
            "notes": list(self.all_notes()),
            "svg": self.svg,
            "demo": self.table.demo,
            "figure": _plain(self.figure),
            "table": show.view(self.table, self.language, caption=self.title),
        }
        return content | ({"public": self.public.to_json()} if self.public else {})

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        payload = self.to_json()
        return {
            PLOTLY_MIME: {**payload["figure"], "config": self.config},
            CHART_MIME: payload,
            "text/plain": f"{self.title}\n{self.alt}",
        }


def _plain(figure: Any) -> dict[str, Any]:
    import json

    return json.loads(figure.to_json(validate=False))


def require_protected(shown: Protected) -> Protected:
    """The view itself, or a refusal of anything but the protected view of a result.

    Raises:
        DisclosureError: something else.
    """
    if not isinstance(shown, Protected):
        raise DisclosureError(
            f"this chart takes the view of a result that study.show or disclosure.protected makes, not a "
            f"{type(shown).__name__}"
        )
    return shown
