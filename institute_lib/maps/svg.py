"""The static map: an SVG written straight from the geometry, for print and for pages where no script runs.

It uses only what a brief lets through: plain shapes, text and transforms; no pattern, no style, no reference.
"""

import html
import re
from hashlib import sha256

import numpy as np

from institute_lib import terms
from institute_lib.maps.drawing import Drawing, Region
from institute_lib.maps.figure import EDGE, HATCH, STAMP_COLOUR, fill, ground, stroke
from institute_lib.maps.marks import MANY, ROUND, SITE, STYLES

WIDTH, HEAD, LINE, FOOT = 520, 16, 19, 22
HATCH_STEP = 8.0
IN_TENTHS = 'transform="scale(.1)"'  # of shapes drawn by `trail`
HALO = 'stroke="#ffffff" stroke-width="3" paint-order="stroke"'  # white, under the letters
# Characters that no XML document may hold, even escaped.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def svg(drawing: Drawing) -> str:
    """The drawing as one SVG element: no script, no style sheet, no reference outside itself."""
    mark = sha256(drawing.title.encode("utf-8", "replace") + drawing.alt.encode("utf-8", "replace")).hexdigest()[:8]
    scale = _Scale(drawing)
    rows = drawing.legend_title.count("\n") + 1 + -(-(len(drawing.legend) + len(drawing.marks)) // 2)
    legend = HEAD + scale.height + FOOT
    height = legend + LINE * rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-labelledby="t{mark} d{mark}" font-family="{escape(terms.FONT_STACK)}" font-size="13">',
        f'<title id="t{mark}">{escape(drawing.title)}</title><desc id="d{mark}">{escape(drawing.alt)}</desc>',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        f'<g {IN_TENTHS} fill-rule="evenodd" stroke="{EDGE}" stroke-width="9">',
        *(_region(region, drawing, scale) for region in drawing.regions),
        "</g>",
        *_marks(drawing, scale),
        *_labels(drawing, scale),
        *_legend(drawing, legend),
        *_words_beside(drawing, legend),
        "</svg>",
    ]
    return "".join(part for part in parts if part)


def escape(text: str) -> str:
    """Text that is safe between tags and in quoted attributes of an XML document."""
    return html.escape(_FORBIDDEN.sub("\ufffd", str(text)), quote=True)


class _Scale:
    """Metres to the page: one scale both ways, north up."""

    def __init__(self, drawing: Drawing):
        self.left, bottom, right, self.top = drawing.bounds
        self.factor = min(WIDTH / (right - self.left), drawing.height / (self.top - bottom))
        self.height = self.factor * (self.top - bottom)

    def __call__(self, x: float | np.ndarray, y: float | np.ndarray) -> tuple:
        return self.factor * (x - self.left), HEAD + self.factor * (self.top - y)


def _region(region: Region, drawing: Drawing, scale: _Scale) -> str:
    outline = [np.column_stack(scale(ring[:, 0], ring[:, 1])) for ring in region.rings]
    path = "".join(f"{trail(ring[:-1])}Z" for ring in outline)
    hover = escape(region.hover).replace("\n", "&#10;")
    shape = f'<path class="region" d="{path}" fill="{fill(region, drawing)}">'
    return f"{shape}<title>{hover}</title></path>" + (hatch(outline, region.state) if region.of < 0 else "")


def trail(places: np.ndarray) -> str:
    """A line through places in pixels, in whole tenths, each step from the one before: a third of the bytes of places
    in full. It is to be drawn `IN_TENTHS`."""
    first, *steps = _steps(places)
    line = " ".join(steps).replace(" -", "-")
    return f"M{first}" + (f"l{line}" if line else "")


def _steps(places: np.ndarray) -> list[str]:
    """The first place in tenths, and the steps to the others; none where nothing moves."""
    tenths = np.round(places * 10).astype(int)
    steps = np.diff(tenths, axis=0)
    return [f"{x} {y}" for x, y in (tenths[:1].tolist() + steps[steps.any(axis=1)].tolist())]


def hatch(outline: list[np.ndarray], state: str) -> str:
    """The lines of a state cut to a shape, to be drawn `IN_TENTHS`: lines, for a page that takes the picture in lets no
    pattern through."""
    import shapely

    shape = shapely.build_area(shapely.multilinestrings([shapely.linestrings(ring) for ring in outline]))
    left, top, right, bottom = shape.bounds
    high = bottom - top
    starts = np.arange(left - high, right, HATCH_STEP)
    ways = {
        "/": [[(x, bottom), (x + high, top)] for x in starts],
        "\\": [[(x, top), (x + high, bottom)] for x in starts],
        "-": [[(left, y), (right, y)] for y in np.arange(top + HATCH_STEP / 2, bottom, HATCH_STEP)],
    }
    lines = ways["/"] + ways["\\"] if HATCH[state] == "x" else ways[HATCH[state]]
    cut = shapely.get_parts(shapely.intersection(shapely.linestrings(lines), shape))
    ends = [shapely.get_coordinates(part) for part in cut if part.geom_type == "LineString" and part.length > 1]
    path = "".join(trail(end[[0, -1]]) for end in ends)
    return f'<path class="hatch" d="{path}" fill="none" stroke="{stroke(state)}" stroke-width="12"/>' if path else ""


def _marks(drawing: Drawing, scale: _Scale) -> list[str]:
    drawn = []
    for mark in drawing.marks:
        if mark.level in ROUND and len(mark.x) > MANY:
            drawn.append(_dots(np.column_stack(scale(mark.x, mark.y)), mark.level))
            continue
        drawn += [
            _mark(x, y, mark.level, f"<title>{escape(name)}</title>")
            for x, y, name in zip(*scale(mark.x, mark.y), mark.names, strict=True)
        ]
    return drawn


def _dots(places: np.ndarray, level: str) -> str:
    """Many points as one line of strokes without length, whose round ends are the dots; on white ones a bit larger."""
    colour, size, _ = STYLES[level]
    order = np.lexsort(places.round().T)
    path = "".join(f"{'m' if number else 'M'}{step}h0" for number, step in enumerate(_steps(places[order])))
    line = f'd="{path}" {IN_TENTHS} fill="none" stroke-linecap="round"'
    edge = f'<path {line} stroke="#ffffff" stroke-width="{10 * size + 16:g}"/>' if size > 4 else ""
    return f'{edge}<path class="stations" {line} stroke="{colour}" stroke-width="{10 * size:g}"/>'


def _mark(x: float, y: float, level: str, title: str = "") -> str:
    """A dot for towns and villages, a diamond above them, a cross for a new site: told apart without colour."""
    colour, size, _ = STYLES[level]
    half = size / 2
    paint = f'class="station" fill="{colour}" stroke="#ffffff" stroke-width="{0.8 if half > 2 else 0}"'
    if level in ROUND:
        return f'<circle {paint} cx="{x:.1f}" cy="{y:.1f}" r="{half:g}">{title}</circle>'
    if level == SITE:
        bars = f"M{x - half:.1f} {y - half:.1f}l{size:g} {size:g}m0 {-size:g}l{-size:g} {size:g}"
        return f'<path class="site" d="{bars}" fill="none" stroke="{colour}" stroke-width="3">{title}</path>'
    corners = f"M{x:.1f} {y - half:.1f}l{half:g} {half:g}l{-half:g} {half:g}l{-half:g} {-half:g}Z"
    return f'<path {paint} d="{corners}">{title}</path>'


def _labels(drawing: Drawing, scale: _Scale) -> list[str]:
    """The labels, each with a white halo, and thin lines to those that had to move away."""
    if not drawing.labels:
        return []
    lines, words, usual = [], [], drawing.labels[0].size
    for label in drawing.labels:
        x, y = scale(label.x, label.y)
        left, top = x + label.dx, y + label.dy - label.size * 1.2 * (len(label.lines) - 1) / 2 + label.size * 0.35
        if label.led:
            lines.append(trail(np.array([[x, y], [left, y + label.dy]])))
        for index, line in enumerate(label.lines):
            size = "" if label.size == usual else f' font-size="{label.size:g}"'
            place = f'x="{left:.0f}" y="{top + index * label.size * 1.2:.0f}"{size}'
            words.append(f"<text {place}>{escape(line)}</text>")
    return [
        f'<path d="{"".join(lines)}" {IN_TENTHS} fill="none" stroke="{EDGE}" stroke-width="8"/>' if lines else "",
        f'<g text-anchor="middle" font-size="{usual:g}" fill="#111111" {HALO}>{"".join(words)}</g>',
    ]


def _legend(drawing: Drawing, top: float) -> list[str]:
    """Under the map: what is shown and how it is classed, then its colours, states and marks in two columns."""
    lines = drawing.legend_title.split("\n")
    drawn = [
        _text(2, top + LINE * index, line, weight="normal" if index else "bold") for index, line in enumerate(lines)
    ]
    top += LINE * len(lines) - 12
    entries = [*drawing.legend, *((mark, mark.label) for mark in drawing.marks)]
    for index, (key, words) in enumerate(entries):
        left, y = 2 + WIDTH / 2 * (index % 2), top + LINE * (index // 2)
        if isinstance(key, str):
            paint = key if key.startswith("#") else ground(key)
            drawn.append(f'<rect x="{left}" y="{y:.1f}" width="18" height="13" fill="{paint}" stroke="{EDGE}"/>')
            if not key.startswith("#"):
                box = [(left, y), (left + 18, y), (left + 18, y + 13), (left, y + 13), (left, y)]
                drawn.append(f"<g {IN_TENTHS}>{hatch([np.array(box, float)], key)}</g>")
        else:
            drawn.append(_mark(left + 9, y + 7, key.level))
        drawn.append(_text(left + 26, y + 11, words))
    return drawn


def _words_beside(drawing: Drawing, top: float) -> list[str]:
    """The approval number under the map, and over it that data are invented where they are."""
    colour = STAMP_COLOUR if drawing.internal else "#111111"
    demo = terms.text("charts.demo", drawing.language) if drawing.demo else ""
    return [_text(2, top - LINE, drawing.corner, colour=colour), _text(WIDTH - 2, 11, demo, anchor="end")]


def _text(x: float, y: float, words: str, **style: str) -> str:
    """A line of text."""
    if not words:
        return ""
    style = {"weight": "normal", "anchor": "start", "colour": "#111111"} | style
    font = f'font-size="12" font-weight="{style["weight"]}" text-anchor="{style["anchor"]}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {font} fill="{style["colour"]}">{escape(words)}</text>'
