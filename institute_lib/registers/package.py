"""An .xlsx package in which cells are coloured and commented and sheets are put in front, and all else stays as it is.

Spreadsheet libraries load and write a workbook anew: that takes half a minute for a large register and drops what they
do not know. Here the parts are texts in which single attributes change (ECMA-376, part 1).
"""

import io
import posixpath
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from institute_lib.registers import screen
from institute_lib.registers.workbook import column_letters, column_number

Cells = Mapping[tuple[int, int], tuple[str, str]]
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_ROW = re.compile(rb"<row\b[^>]*?/>|<row\b[^>]*>.*?</row>", re.DOTALL)
_CELL = re.compile(rb"<c\b[^>]*?/>|<c\b[^>]*>.*?</c>", re.DOTALL)
_XF = re.compile(rb"<xf\b[^>]*?/>|<xf\b[^>]*>.*?</xf>", re.DOTALL)
_COMMENT = re.compile(rb"<comment\b.*?</comment>", re.DOTALL)
_BEHIND_DRAWING = re.compile(
    rb"<(?:legacyDrawingHF|drawingHF|picture|oleObjects|controls|webPublishItems|tableParts|extLst)\b|</worksheet>"
)
_NOWHERE = re.compile(rb"<row>|<row (?![^>]*\br=)|<c>|<c (?![^>]*\br=)")  # rows and cells that do not say where
_LOOKED_AT = 200_000  # bytes of a sheet that show how it is written
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
LINE_HEIGHT = 15  # points
COMMENT_SIZE = 'style="position:absolute;width:220pt;height:80pt;visibility:hidden"'


class Package:
    """The parts of a workbook, changed in memory and saved as a whole."""

    def __init__(self, content: bytes):
        self.parts = _parts(content)
        if not self._is_plain():
            self.parts = _parts(_written_anew(content))
        self._looks: dict[str, int] = {}
        self._clones: dict[tuple[int, str], int] = {}

    def _is_plain(self) -> bool:
        """Whether the parts are written as most programs do: no namespace prefixes, rows and cells that say where."""
        book, styles = self.parts.get("xl/workbook.xml", b""), self.parts.get("xl/styles.xml", b"")
        sheets = [self.parts[part] for part in self.sheets().values() if part in self.parts]
        return (
            b"<workbook" in book
            and b"<cellXfs" in styles
            and b"<fills" in styles
            and all(b"<row " in xml or b"<row>" not in xml for xml in sheets)
            and not any(_NOWHERE.search(xml, 0, xml.rfind(b">", 0, _LOOKED_AT)) for xml in sheets)
        )

    def sheets(self) -> dict[str, str]:
        """Names of sheets and the parts that they are."""
        targets = dict(self._links("xl/workbook.xml"))
        found = {}
        for sheet in re.findall(rb"<sheet\b[^>]*>", self.parts.get("xl/workbook.xml", b"")):
            name, link = _attribute(sheet, "name"), re.search(rb'\b\w+:id="([^"]*)"', sheet)
            if link and link[1].decode() in targets:
                found[_unescaped(name)] = targets[link[1].decode()]
        return found

    def mark(self, name: str, cells: Cells, colours: Mapping[str, str], sign: str) -> None:
        """Colour cells of a sheet and comment on them, and take back what an earlier marking left there."""
        self._take_back(colours.values())
        part = self.sheets()[name]
        styles = {severity: self._fill(colour) for severity, colour in colours.items()}
        self.parts[part] = self._coloured(self.parts[part], cells, styles)
        self._comment(part, {place: text for place, (_, text) in cells.items()}, sign)

    def add_sheets(self, sheets: Mapping[str, bytes]) -> None:
        """Put sheets in front of the others, the first of them opened; those that are columns of options are hidden."""
        book = self.parts["xl/workbook.xml"]
        used = [int(number) for number in re.findall(rb'sheetId="(\d+)"', book)]
        entries = b""
        for at, (name, xml) in enumerate(sheets.items(), start=1):
            part = self._free("xl/worksheets/sheet{}.xml")
            self.parts[part] = xml
            self._declare(part, f"{_TYPES}.worksheet+xml")
            link = self._link("xl/workbook.xml", "worksheet", part)
            state = ' state="hidden"' if b"<!--options-->" in xml else ""
            entry = (
                f'<sheet xmlns:r="{_OFFICE}" name={quoteattr(name)} sheetId="{max(used) + at}"{state} r:id="{link}"/>'
            )
            entries += entry.encode()
        for part in self.sheets().values():
            self.parts[part] = re.sub(rb' tabSelected="(?:1|true)"', b"", self.parts[part])
        book = re.sub(rb"(<sheets\b[^>]*>)", lambda found: found[1] + entries, book, count=1)
        book = re.sub(rb' (?:activeTab|firstSheet)="\d+"', b"", book)
        self.parts["xl/workbook.xml"] = _moved(book, len(sheets))

    def remove_sheets(self, names: Iterable[str]) -> None:
        """Take sheets out that an earlier marking put in."""
        for name in names:
            book, present = self.parts["xl/workbook.xml"], list(self.sheets().items())
            at = next((at for at, (other, _) in enumerate(present) if other == name), None)
            if at is None:
                continue
            part = present[at][1]
            entry = [
                one for one in re.findall(rb"<sheet\b[^>]*?/>", book) if _unescaped(_attribute(one, "name")) == name
            ]
            book = book.replace(entry[0], b"")
            book = re.sub(rb'<definedName\b(?=[^>]*localSheetId="%d")[^>]*>.*?</definedName>' % at, b"", book)
            book = re.sub(rb"<definedNames>\s*</definedNames>", b"", book)
            self.parts["xl/workbook.xml"] = _moved(book, -1, after=at)
            self._forget(part)

    def sheet(
        self,
        title: str,
        heads: Sequence[str],
        rows: Sequence[tuple[str, Sequence[str]]],
        *,
        widths: Sequence[int],
        links: Sequence[tuple[str, str]] = (),
        choices: Sequence[tuple[Sequence[str], str]] = (),
    ) -> bytes:
        """A sheet of texts: a title, a header that stays and filters, and lines whose first cell is coloured.

        Args:
            rows: the colour's name (`fault`, `warning`) and the cells.
            widths: of the columns, in characters.
            links: cells and the places in the workbook that they lead to.
            choices: cells, and the list that they choose from as a formula.
        """
        bold, wrapped = self._look("bold"), self._look("wrapped")
        lines = [_line(1, [title], [self._look("title")]), _line(2, heads, [bold] * len(heads))]
        for number, (severity, cells) in enumerate(rows, start=3):
            styles = [self._look(severity), *[wrapped] * (len(cells) - 1)]
            high = max(-(-screen.width(cell) // width) for cell, width in zip(cells, widths, strict=True))
            lines.append(_line(number, cells, styles, height=LINE_HEIGHT * max(1, high)))
        last = column_letters(len(heads))
        columns = "".join(
            f'<col min="{at}" max="{at}" width="{width}" customWidth="1"/>' for at, width in enumerate(widths, start=1)
        )
        lists = "".join(
            f'<dataValidation type="list" allowBlank="1" showErrorMessage="1" sqref="{_ranges(cells)}">'
            f"<formula1>{escape(formula)}</formula1></dataValidation>"
            for cells, formula in choices
            if cells
        )
        count = sum(bool(cells) for cells, _ in choices)
        linked = "".join(f'<hyperlink ref="{cell}" location={quoteattr(place)}/>' for cell, place in links)
        return _sheet_xml(
            views='<sheetView tabSelected="1" workbookViewId="0">'
            '<pane ySplit="2" topLeftCell="A3" activePane="bottomLeft" state="frozen"/></sheetView>',
            columns=columns,
            rows="".join(lines),
            behind=f'<autoFilter ref="A2:{last}{len(rows) + 2}"/>'
            + (f'<dataValidations count="{count}">{lists}</dataValidations>' if count else "")
            + (f"<hyperlinks>{linked}</hyperlinks>" if linked else ""),
        )

    def columns(self, lists: Sequence[Sequence[str]]) -> bytes:
        """A hidden sheet that holds the options of drop-down lists, a column each."""
        longest = max(map(len, lists))
        rows = [[options[at] if at < len(options) else "" for options in lists] for at in range(longest)]
        lines = "".join(_line(number, cells, [0] * len(cells)) for number, cells in enumerate(rows, start=1))
        return _sheet_xml('<sheetView workbookViewId="0"/>', "", lines, "") + b"<!--options-->"

    def save(self) -> bytes:
        """The package."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as package:
            for name, content in self.parts.items():
                package.writestr(name, content)
        return made.getvalue()

    # Styles

    def _fill(self, colour: str) -> int:
        """The number of the fill of one colour."""
        pattern = f'<fgColor rgb="{colour}"/><bgColor indexed="64"/>'
        fill = f'<fill><patternFill patternType="solid">{pattern}</patternFill></fill>'
        fills = re.search(rb"<fills\b[^>]*>(.*?)</fills>", self.parts["xl/styles.xml"], re.DOTALL)[1]
        every = re.findall(rb"<fill\b[^>]*?/>|<fill\b[^>]*>.*?</fill>", fills, re.DOTALL)
        if fill.encode() in every:
            return every.index(fill.encode())
        self._append("fills", fill)
        return len(every)

    def _append(self, name: str, xml: str) -> None:
        """Add an element to one of the collections of the styles."""
        styles = self.parts["xl/styles.xml"].replace(f"</{name}>".encode(), xml.encode() + f"</{name}>".encode(), 1)

        def counted(found: re.Match[bytes]) -> bytes:
            return found[1] + str(int(found[2]) + 1).encode() + found[3]

        pattern = rb'(<%s\b[^>]*\bcount=")(\d+)(")' % name.encode()
        self.parts["xl/styles.xml"] = re.sub(pattern, counted, styles, count=1)

    def _xfs(self) -> list[bytes]:
        return _XF.findall(re.search(rb"<cellXfs\b.*?</cellXfs>", self.parts["xl/styles.xml"], re.DOTALL)[0])

    def _filled(self, style: int, fill: int) -> int:
        """The style of a cell with another fill."""
        key = (style, str(fill))
        if key not in self._clones:
            every = self._xfs()
            xf = every[style] if style < len(every) else every[0]
            tag, rest = re.match(rb"(<xf\b[^>]*?)(/?>.*)", xf, re.DOTALL).groups()
            tag = re.sub(rb'\s(?:fillId|applyFill)="[^"]*"', b"", tag)
            self._clones[key] = len(every)
            self._append("cellXfs", (tag + f' fillId="{fill}" applyFill="1"'.encode() + rest).decode())
        return self._clones[key]

    def _take_back(self, colours: Iterable[str]) -> None:
        """Cells that an earlier marking coloured lose the colour."""
        fills = {self._fill(colour) for colour in colours}

        def without(found: re.Match[bytes]) -> bytes:
            number = re.search(rb'\bfillId="(\d+)"', found[0])
            is_ours = number is not None and int(number[1]) in fills
            return re.sub(rb'\bfillId="\d+"', b'fillId="0"', found[0], count=1) if is_ours else found[0]

        if not self._clones:
            styles = self.parts["xl/styles.xml"]
            block = re.search(rb"<cellXfs\b.*?</cellXfs>", styles, re.DOTALL)
            self.parts["xl/styles.xml"] = styles.replace(block[0], _XF.sub(without, block[0]))

    def _look(self, name: str) -> int:
        """The style of the sheets that are put in: bold, wrapped, or coloured by severity."""
        if name not in self._looks:
            font, fill = 0, 0
            if name in ("bold", "title"):
                fonts = re.search(rb"<fonts\b[^>]*>(.*?)</fonts>", self.parts["xl/styles.xml"], re.DOTALL)[1]
                font = len(re.findall(rb"<font\b[^>]*?/>|<font\b[^>]*>.*?</font>", fonts, re.DOTALL))
                self._append("fonts", '<font><b/><sz val="11"/><name val="宋体"/></font>')
            elif name != "wrapped":
                fill = self._fill({"fault": "FFFFC7CD", "warning": "FFFFEB9B"}[name])
            wrap = "" if name == "title" else ' wrapText="1"'
            self._looks[name] = len(self._xfs())
            self._append(
                "cellXfs",
                f'<xf numFmtId="49" fontId="{font}" fillId="{fill}" borderId="0" xfId="0" applyNumberFormat="1" '
                f'applyFont="1" applyFill="1" applyAlignment="1"><alignment vertical="top"{wrap}/></xf>',
            )
        return self._looks[name]

    def _coloured(self, xml: bytes, cells: Cells, fills: Mapping[str, int]) -> bytes:
        by_row: dict[int, dict[int, int]] = {}
        for (row, column), (severity, _) in cells.items():
            by_row.setdefault(row, {})[column] = fills[severity]
        made, end = [], 0
        for found in _ROW.finditer(xml):
            number = int(re.search(rb'\br="(\d+)"', found[0][:200])[1])
            if number in by_row:
                made += [xml[end : found.start()], self._coloured_row(found[0], number, by_row.pop(number))]
                end = found.end()
        return b"".join([*made, xml[end:]])

    def _coloured_row(self, row: bytes, number: int, wanted: dict[int, int]) -> bytes:
        cells = {_place_of(cell): cell for cell in _CELL.findall(row)}
        for column, fill in wanted.items():
            cell = cells.get(column, f'<c r="{column_letters(column)}{number}"/>'.encode())
            tag, rest = re.match(rb"(<c\b[^>]*?)(/?>.*)", cell, re.DOTALL).groups()
            style = re.search(rb'\ss="(\d+)"', tag)
            new = self._filled(int(style[1]) if style else 0, fill)
            cells[column] = re.sub(rb'\ss="\d+"', b"", tag) + f' s="{new}"'.encode() + rest
        head = re.match(rb"(<row\b[^>]*?)/?>", row)[1]
        return head + b">" + b"".join(cells[column] for column in sorted(cells)) + b"</row>"

    # Comments

    def _comment(self, part: str, texts: Mapping[tuple[int, int], str], sign: str) -> None:
        """Our comments beside those of the office, which stay; a cell that has one of theirs gets none of ours."""
        old = next((target for kind, target in self._typed_links(part) if kind == "comments"), None)
        authors, kept = b"<author></author>", []
        if old in self.parts:
            xml = self.parts[old]
            authors = (re.search(rb"<authors>(.*?)</authors>", xml, re.DOTALL) or [b"", authors])[1]
            kept = [one for one in _COMMENT.findall(xml) if sign not in _unescaped(_text_of(one))]
        taken = {_attribute(one, "ref") for one in kept}
        mine = len(re.findall(rb"<author\b", authors))
        new = {f"{column_letters(column)}{row}": text for (row, column), text in sorted(texts.items())}
        new = {place: text for place, text in new.items() if place not in taken}
        if not new and old is None:
            return
        written = [
            f'<comment ref="{place}" authorId="{mine}"><text><r><t xml:space="preserve">{_clean(text)}</t></r></text>'
            "</comment>"
            for place, text in new.items()
        ]
        comments = old or self._free("xl/comments{}.xml")
        self.parts[comments] = (
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<comments xmlns="{_MAIN}"><authors>'.encode()
            + authors
            + f"<author>{_clean(sign)}</author></authors><commentList>".encode()
            + b"".join(kept)
            + "".join(written).encode()
            + b"</commentList></comments>"
        )
        places = [place for place in (*taken, *new) if place]
        self._draw(part, places)
        if old is None:
            self._declare(comments, f"{_TYPES}.comments+xml")
            self._link(part, "comments", comments)

    def _draw(self, part: str, places: Sequence[str]) -> None:
        """The boxes of the comments; other shapes that a sheet has (buttons) stay."""
        old = next((target for kind, target in self._typed_links(part) if kind == "vmlDrawing"), None)
        others = b""
        if old in self.parts:
            shapes = re.findall(rb"<(\w+:)?shape\b(.*?)</\1shape>", self.parts[old], re.DOTALL)
            others = b"".join(
                b"<%sshape%s</%sshape>" % (prefix, body, prefix) for prefix, body in shapes if b'"Note"' not in body
            )
        boxes = "".join(_box(number, place) for number, place in enumerate(places, start=1_025))
        drawing = (
            '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" '
            'xmlns:x="urn:schemas-microsoft-com:office:excel">'
            '<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="1"/></o:shapelayout>'
            '<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" '
            'path="m,l,21600r21600,l21600,xe"><v:stroke joinstyle="miter"/><v:path gradientshapeok="t" '
            f'o:connecttype="rect"/></v:shapetype>{boxes}'
        )
        name = old or self._free("xl/drawings/vmlDrawing{}.vml")
        self.parts[name] = drawing.encode() + others + b"</xml>"
        if old is None:
            link = self._link(part, "vmlDrawing", name)
            types = self.parts["[Content_Types].xml"]
            if b'Extension="vml"' not in types:
                kind = b"application/vnd.openxmlformats-officedocument.vmlDrawing"
                default = b'<Default Extension="vml" ContentType="%s"/>' % kind
                self.parts["[Content_Types].xml"] = re.sub(rb"(<Types\b[^>]*>)", rb"\1" + default, types, count=1)
            element = f'<legacyDrawing xmlns:r="{_OFFICE}" r:id="{link}"/>'.encode()
            at = _BEHIND_DRAWING.search(self.parts[part]).start()
            self.parts[part] = self.parts[part][:at] + element + self.parts[part][at:]

    # Relations

    def _typed_links(self, part: str) -> list[tuple[str, str]]:
        """A part's relations: the last word of their type, and the part that they lead to."""
        rels = self.parts.get(_rels(part), b"")
        return [
            (_attribute(one, "Type").rsplit("/", 1)[-1], _target(part, _attribute(one, "Target")))
            for one in re.findall(rb"<Relationship\b[^>]*>", rels)
        ]

    def _links(self, part: str) -> list[tuple[str, str]]:
        rels = self.parts.get(_rels(part), b"")
        return [
            (_attribute(one, "Id"), _target(part, _attribute(one, "Target")))
            for one in re.findall(rb"<Relationship\b[^>]*>", rels)
        ]

    def _link(self, part: str, kind: str, target: str) -> str:
        """Relate a part to another, and return the relation's name."""
        empty = b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"></Relationships>'
        rels = re.sub(rb"(<Relationships\b[^>]*)/>", rb"\1></Relationships>", self.parts.get(_rels(part), empty))
        used = set(re.findall(rb'\bId="([^"]*)"', rels))
        name = next(f"check{number}" for number in range(1, 10_000) if f"check{number}".encode() not in used)
        entry = f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="/{target}"/>'
        self.parts[_rels(part)] = rels.replace(b"</Relationships>", entry.encode() + b"</Relationships>")
        return name

    def _declare(self, part: str, kind: str) -> None:
        entry = f'<Override PartName="/{part}" ContentType="{kind}"/></Types>'
        self.parts["[Content_Types].xml"] = self.parts["[Content_Types].xml"].replace(b"</Types>", entry.encode())

    def _forget(self, part: str) -> None:
        """Take a part, its declaration and the relation to it out."""
        self.parts.pop(part, None)
        self.parts.pop(_rels(part), None)
        types = self.parts["[Content_Types].xml"]
        pattern = rb"<Override\b(?=[^>]*PartName=\"/%s\")[^>]*/>" % re.escape(part.encode())
        self.parts["[Content_Types].xml"] = re.sub(pattern, b"", types)
        rels = self.parts[_rels("xl/workbook.xml")]
        gone = [
            one
            for one in re.findall(rb"<Relationship\b[^>]*?/>", rels)
            if _target("xl/workbook.xml", _attribute(one, "Target")) == part
        ]
        for one in gone:
            rels = rels.replace(one, b"")
        self.parts[_rels("xl/workbook.xml")] = rels

    def _free(self, pattern: str) -> str:
        return next(name for number in range(1, 100_000) if (name := pattern.format(number)) not in self.parts)


def _parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return {name: package.read(name) for name in package.namelist() if not name.endswith("/")}


def _written_anew(content: bytes) -> bytes:
    """The workbook as openpyxl writes it, where another program's way of writing is not understood here."""
    import openpyxl

    made = io.BytesIO()
    openpyxl.load_workbook(io.BytesIO(content)).save(made)
    return made.getvalue()


def _rels(part: str) -> str:
    folder, _, name = part.rpartition("/")
    return f"{folder}/_rels/{name}.rels"


def _target(part: str, target: str) -> str:
    if target.startswith("/"):
        return target[1:]
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), target))


def _attribute(tag: bytes, name: str) -> str:
    found = re.search(rb"(?<![\w:])%s=\"([^\"]*)\"|(?<![\w:])%s='([^']*)'" % (name.encode(), name.encode()), tag)
    return (found[1] or found[2] or b"").decode() if found else ""


def _unescaped(text: str) -> str:
    import html

    return html.unescape(text)


def _text_of(comment: bytes) -> str:
    return "".join(found.decode() for found in re.findall(rb"<t\b[^>]*>(.*?)</t>", comment, re.DOTALL))


def _place_of(cell: bytes) -> int:
    return column_number(re.search(rb'\br="([A-Z]+)', cell)[1].decode())


def _moved(book: bytes, by: int, after: int = -1) -> bytes:
    """The workbook whose local names follow their sheets, which have moved."""

    def moved(found: re.Match[bytes]) -> bytes:
        at = int(found[1])
        return f'localSheetId="{at + by if at > after else at}"'.encode()

    return re.sub(rb'localSheetId="(\d+)"', moved, book)


def _clean(text: str) -> str:
    return escape(_ILLEGAL.sub("", text))


def _line(number: int, cells: Sequence[str], styles: Sequence[int], height: int = 0) -> str:
    made = "".join(
        f'<c r="{column_letters(at)}{number}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{_clean(text)}</t>'
        "</is></c>"
        for at, (text, style) in enumerate(zip(cells, styles, strict=True), start=1)
        if text or style
    )
    high = f' ht="{height}" customHeight="1"' if height else ""
    return f'<row r="{number}"{high}>{made}</row>'


def _ranges(cells: Sequence[str]) -> str:
    """Cells of one column as ranges: D3:D7 D9."""
    letters = re.sub(r"\d", "", cells[0])
    rows = sorted(int(re.sub(r"\D", "", cell)) for cell in cells)
    starts = [row for at, row in enumerate(rows) if not at or rows[at - 1] != row - 1]
    ends = [row for at, row in enumerate(rows) if at + 1 == len(rows) or rows[at + 1] != row + 1]
    return " ".join(f"{letters}{start}:{letters}{end}" for start, end in zip(starts, ends, strict=True))


def _sheet_xml(views: str, columns: str, rows: str, behind: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{_MAIN}">'
        f"<sheetViews>{views}</sheetViews>" + (f"<cols>{columns}</cols>" if columns else "") + "<sheetData>"
        f"{rows}</sheetData>{behind}</worksheet>"
    ).encode()


def _box(number: int, place: str) -> str:
    row, column = re.sub(r"\D", "", place), re.sub(r"\d", "", place)
    at = column_number(column) - 1
    return (
        f'<v:shape id="_x0000_s{number}" type="#_x0000_t202" {COMMENT_SIZE} fillcolor="#ffffe1" o:insetmode="auto">'
        '<v:fill color2="#ffffe1"/><v:shadow on="t" color="black" obscured="t"/><v:path o:connecttype="none"/>'
        f'<v:textbox/><x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/><x:Anchor>{at + 1}, 15, '
        f"{max(0, int(row) - 2)}, 10, {at + 5}, 15, {int(row) + 3}, 4</x:Anchor><x:AutoFill>False</x:AutoFill>"
        f"<x:Row>{int(row) - 1}</x:Row><x:Column>{at}</x:Column></x:ClientData></v:shape>"
    )
