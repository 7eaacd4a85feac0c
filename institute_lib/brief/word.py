"""A brief as a Word document set like an official paper: real tables, figures as pictures, page numbers and marks.

Typefaces, margins and page numbers follow GB/T 9704-2012; the text is smaller, since a brief is mostly tables.
"""

import asyncio
import base64
import io
import logging
import re
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

from institute_lib.brief import page
from institute_lib.brief.export import opened, write_whole
from institute_lib.brief.reading import Content

logger = logging.getLogger(__name__)
MARGINS = {"top": 37, "bottom": 35, "left": 28, "right": 26}  # mm
ONE_PAGE = MARGINS | {"top": 25, "bottom": 22}  # narrower, so that it is one
WIDTH, HIGHEST = 156, 190  # mm that a figure may take
PIXELS, SCALE = 680, 2.2  # a chart's width as it is drawn on the page, and how much finer on paper
LATIN, TITLE, BODY, HEAD = "Times New Roman", "FZXiaoBiaoSong-B05S", "FangSong", "SimHei"
OTHERWISE = {  # where a font is not there, in the order in which Word and WPS try
    TITLE: "FZXiaoBiaoSong-B05, STZhongsong, SimHei, Noto Serif CJK SC",
    BODY: "FangSong_GB2312, STFangsong, SimSun, Noto Serif CJK SC",
    HEAD: "STHeiti, Microsoft YaHei, Noto Sans CJK SC",
}
STYLES = {  # name: font of Chinese, points, bold, points before and after
    "Normal": (BODY, 12, False, 0, 4),
    "Title": (TITLE, 22, False, 0, 6),
    "Heading 1": (HEAD, 15, False, 12, 4),
    "Heading 2": (HEAD, 12, False, 8, 2),
    "Heading 3": (BODY, 12, True, 6, 2),
    "Caption": (HEAD, 10.5, False, 4, 4),
    "List Bullet": (BODY, 12, False, 0, 2),
    "Header": (BODY, 10.5, False, 0, 0),
    "Footer": (BODY, 14, False, 0, 0),
    "No Spacing": (BODY, 10.5, False, 0, 3),  # notes, and the cells of tables
}
CELL = "NoSpacing"  # its id, which a large table need not look up for every cell
MANY_COLUMNS, SMALL, WIDEST = 7, 8, 22  # columns; points; characters
SHADES = {"better": "D5ECE3", "worse": "F9DCC8", "like": "EEF1F4", "missing": "FFFFFF"}
LISTED = ("p", "h2", "h3", "h4", "ul", "ol", "table", "pre")


def export_word(
    executed_notebook: str | Path | Any,
    path: str | Path,
    *,
    language: str = "zh",
    demo: bool = False,
    own: bool = True,
) -> Path:
    """Write the brief of an executed notebook as a Word document, with what the page shows and no more.

    Maps are drawn from their own SVG. Charts are drawn by a Chromium, Chrome or Edge of this computer; where none
    works a line says so and the chart's table takes its place. The document keeps the brief's mark (内部, 演示数据).

    Args:
        executed_notebook, language, demo, own: as `export`.
        path: where the .docx file goes; its folder is made.

    Raises:
        ParameterError, RunError: as `export`.
    """
    _, content = opened(executed_notebook, language, demo=demo, own=own)
    return write_whole(Path(path), _Document(content, language).saved())


class _Document:
    """A brief on its way into Word; each method adds to the end."""

    def __init__(self, content: Content, language: str) -> None:
        import docx

        self.language, self.doc = language, docx.Document()
        self.addresses = 0
        head, blocks = page.head(content, language), page.body(content, language)
        contents = page.contents(blocks)
        tiles = page.tiles(content, language)
        self._setup(head, ONE_PAGE if tiles else MARGINS)
        self.text(head["title"], "Title").alignment = 1
        self.text(head["where"], "Normal", indent=False).alignment = 1
        self.text(head["question"])
        if tiles:
            self._tiles(tiles)
        self.heading(page.word("findings", language) if head["findings"] else "")
        for number, finding in enumerate(head["findings"], start=1):
            self.text(f"{number}. {finding}")
        for finding in head["further"]:
            self.text(finding, "List Bullet")
        if tiles:
            self._advice(tiles)
        if len(contents) > 2:
            self._contents([one["title"] for one in contents])
        self._body(blocks, _pictures(blocks, content))
        fold = [*page.cautions(content, language), *content.fold]
        self.heading(page.word("methods", language) if fold else "")
        for paragraph in fold:
            self.prose(paragraph, level=1)
        sources = page.sources(content)
        self.heading(page.word("sources", language) if sources else "")
        for one in sources:
            self.text(" ".join(filter(None, (one["text"], one["url"]))), "List Bullet")
        for line in (*page.colophon(content, language), page.made(content, language)):
            self.text(line, "No Spacing", indent=False)

    def saved(self) -> bytes:
        """The file; the same content gives the same bytes."""
        packed, file = io.BytesIO(), io.BytesIO()
        self.doc.save(packed)
        with zipfile.ZipFile(packed) as parts, zipfile.ZipFile(file, "w") as whole:
            for part in parts.infolist():
                whole.writestr(zipfile.ZipInfo(part.filename), parts.read(part), zipfile.ZIP_DEFLATED)
        return file.getvalue()

    def _setup(self, head: Mapping[str, Any], margins: Mapping[str, int]) -> None:
        """Paper, type, the line above each page with the marks, and the page number below."""
        from docx.enum.text import WD_TAB_ALIGNMENT
        from docx.opc.constants import RELATIONSHIP_TYPE
        from docx.shared import Mm, Pt, RGBColor

        section = self.doc.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        for side, size in margins.items():
            setattr(section, f"{side}_margin", Mm(size))
        for name, (font, size, bold, before, after) in STYLES.items():
            style = self.doc.styles[name]
            properties = style.element.get_or_add_rPr()
            properties.clear()
            style.font.name, style.font.size, style.font.bold = LATIN, Pt(size), bold
            style.font.color.rgb = RGBColor(0, 0, 0)
            properties.rFonts.set(_name("w:eastAsia"), font)
            style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(before), Pt(after)
            for gone in ("w:pBdr", "w:tabs"):  # of the standard template
                for one in style.element.findall(f".//{_name(gone)}"):
                    one.getparent().remove(one)
        self.doc.styles["Normal"].paragraph_format.line_spacing = 1.4
        self.doc.styles["No Spacing"].paragraph_format.line_spacing = 1.2
        fonts = self.doc.part.part_related_by(RELATIONSHIP_TYPE.FONT_TABLE)
        listed = "".join(
            f'<w:font w:name="{name}"><w:altName w:val="{others}"/></w:font>' for name, others in OTHERWISE.items()
        )
        fonts._blob = fonts.blob.replace(b"</w:fonts>", f"{listed}</w:fonts>".encode())
        self.doc.core_properties.title, self.doc.core_properties.author = head["page_title"], ""
        line = section.header.paragraphs[0]
        line.text = page.word("institute", self.language) + "\t" + " · ".join(mark["text"] for mark in head["marks"])
        line.paragraph_format.tab_stops.add_tab_stop(Mm(WIDTH), WD_TAB_ALIGNMENT.RIGHT)
        foot = section.footer.paragraphs[0]
        foot.alignment = 1
        foot.add_run("— ")
        _field(foot, "PAGE", "1")
        foot.add_run(" —")

    def text(self, words: str, style: str = "Normal", *, indent: bool = True) -> Any:
        """A paragraph of plain words; of none, nothing is added."""
        if not words:
            return None
        paragraph = self.doc.add_paragraph(words, style)
        if indent and style == "Normal":
            self._indent(paragraph)
        return paragraph

    def _indent(self, paragraph: Any) -> None:
        from docx.shared import Pt

        if self.language == "zh":  # two characters, in points for programs that cannot count them
            paragraph.paragraph_format.first_line_indent = Pt(2 * STYLES["Normal"][1])
            paragraph._p.pPr.ind.set(_name("w:firstLineChars"), "200")

    def heading(self, words: str, level: int = 1, *, new_page: bool = False) -> None:
        """A heading that the contents can lead to."""
        if words:
            paragraph = self.doc.add_heading(words, level)
            paragraph.paragraph_format.page_break_before = new_page or None
            self.addresses += 1
            mark = {"w:id": str(self.addresses), "w:name": _address(words)}
            paragraph._p.insert(1, _element("w:bookmarkStart", mark))
            paragraph._p.append(_element("w:bookmarkEnd", {"w:id": str(self.addresses)}))

    def _contents(self, titles: Sequence[str]) -> None:
        """The sections, each a link to its heading."""
        self.heading(page.word("contents", self.language))
        for title in titles:
            paragraph = self.text(title, "Normal", indent=False)
            link = _element("w:hyperlink", {"w:anchor": _address(title)})
            link.append(paragraph.runs[0]._r)
            paragraph._p.append(link)
            paragraph.paragraph_format.space_after = 0

    def _body(self, blocks: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes]) -> None:
        for block in blocks:
            if block["kind"] == "prose":
                self.prose(block["html"])
            elif block["kind"] == "appendix":
                self.heading(block["title"], new_page=True)
            elif block["kind"] == "own":
                self._own(block, pictures.get(block["id"]))
            else:
                self._figure(block, pictures.get(block["id"]))

    def _own(self, block: Mapping[str, Any], picture: bytes | None) -> None:
        """What a notebook shows besides: a picture, or a table or text as it stands on the page."""
        if "picture" in block:
            picture = base64.b64decode(block["picture"])
        if picture:
            self._picture(picture, block["title"])
        elif block["html"].startswith("<pre>"):
            for line in unescape(block["html"][5:-6]).splitlines():
                self.text(line, "No Spacing")
        elif block["html"]:
            self.prose(block["html"])
        else:
            self.text(page.word("no_browser", self.language), "No Spacing")
        self.text(block["title"], "Caption").alignment = 1

    def _figure(self, block: Mapping[str, Any], picture: bytes | None) -> None:
        """A chart as a picture above its caption, else its table below; then its finding, notes and source."""
        caption = f"{block['number']}　{block['title']}"
        if picture:
            self._picture(picture, block["alt"])
        paragraph = self.text(caption, "Caption")
        paragraph.alignment = 1
        paragraph.paragraph_format.keep_with_next = not picture
        if not picture:
            if block["kind"] == "chart":
                self.text(page.word("no_browser", self.language), "No Spacing")
            table = block["table"]
            columns = [(one["label"], one["numeric"]) for one in table["columns"]]
            self.table(columns, table["rows"])
        self.text(block.get("finding", ""))
        for note in (*block["notes"], block["source"]):
            self.text(note, "No Spacing")

    def _picture(self, picture: bytes, words: str) -> None:
        from docx.shared import Mm

        paragraph = self.doc.add_paragraph()
        paragraph.alignment, paragraph.paragraph_format.keep_with_next = 1, True
        shape = paragraph.add_run().add_picture(io.BytesIO(picture), width=Mm(WIDTH))
        if shape.height > Mm(HIGHEST):
            shape.width, shape.height = int(shape.width * Mm(HIGHEST) / shape.height), Mm(HIGHEST)
        shape._inline.docPr.set("descr", words)

    def table(self, columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
        """A table as wide as the text, its header row on every page that it covers, rows unbroken.

        Args:
            columns: label, and whether its cells are figures, which stand at the right.
        """
        from docx.shared import Mm, Pt

        table = self.doc.add_table(rows=0, cols=len(columns))
        _ruled(table, "000000", top=12, bottom=12, insideH=4)
        lines = [[label for label, _ in columns], *rows]
        least = [max((_width(row[at]) for row in rows), default=0) for at in range(len(columns))]
        heads = [_width(label) // (3 if len(columns) > MANY_COLUMNS else 2) for label, _ in columns]  # in so many lines
        wide = [4 + min(max(pair), WIDEST) for pair in zip(least, heads, strict=True)]
        for column, size in zip(table.columns, wide, strict=True):
            column.width = Mm(WIDTH * size / sum(wide))
        for number, line in enumerate(lines):
            row = table.add_row()
            settings = row._tr.get_or_add_trPr()
            settings.append(_element("w:cantSplit"))
            if not number:
                settings.append(_element("w:tblHeader"))
            for cell, text, (_, numeric), size in zip(row.cells, line, columns, wide, strict=True):
                cell.width = Mm(WIDTH * size / sum(wide))
                paragraph = cell.paragraphs[0]
                paragraph._p.style = CELL
                run = paragraph.add_run(text)
                run.bold = not number
                if len(columns) > MANY_COLUMNS:
                    run.font.size = Pt(SMALL)
                paragraph.alignment = 2 if numeric else 0
        self.doc.add_paragraph("", "No Spacing")

    # the one page

    def _tiles(self, tiles: Mapping[str, Any]) -> None:
        keys = ("name", "value", "change", "standing", "status_words")
        heads = ("tile_name", "tile_value", "tile_change", "tile_standing", "tile_status")
        columns = [(page.word(key, self.language), key == "tile_value") for key in heads]
        self.table(columns, [[one[key] for key in keys] for one in tiles["tiles"]])
        self.text(tiles["rule"], "No Spacing", indent=False)

    def _advice(self, tiles: Mapping[str, Any]) -> None:
        self.heading(tiles["heading_advice"])
        for one in tiles["advice"] or [{"text": tiles["no_advice"], "title": ""}]:
            self.text(" ".join(filter(None, (one["text"], one["title"]))))
        self.heading(tiles["heading_missing"] if tiles["missing"] else "")
        for one in tiles["missing"]:
            self.text(one, "List Bullet")
        if tiles["map"]:
            self.heading(tiles["map_title"])
            self._tile_map(tiles["map"])

    def _tile_map(self, places: Sequence[Mapping[str, Any]]) -> None:
        """The districts where they lie, each with its figure and how it stands, told by words and by colour."""
        table = self.doc.add_table(*(max(one[axis] for one in places) for axis in ("row", "column")))
        _ruled(table, "FFFFFF", insideH=24, insideV=24)
        for one in places:
            cell = table.cell(one["row"] - 1, one["column"] - 1)
            cell._tc.get_or_add_tcPr().append(_element("w:shd", {"w:val": "clear", "w:fill": SHADES[one["standing"]]}))
            paragraph = cell.paragraphs[0]
            paragraph._p.style, paragraph.alignment = CELL, 1
            paragraph.add_run(f"{one['name']} ").bold = one["own"]
            paragraph.add_run(one["value"]).bold = True
            if one["meaning"] != one["value"]:
                paragraph.add_run(f"\n{one['meaning']}")

    # prose

    def prose(self, html: str, level: int = 0) -> None:
        """Sanitised prose; `level` is how much deeper its headings stand than on the page."""
        from lxml.html import fragment_fromstring

        self._blocks(fragment_fromstring(html, create_parent="div"), level)

    def _blocks(self, parent: Any, level: int) -> None:
        for one in parent:
            if one.tag in ("h2", "h3", "h4"):
                self.heading(_plain(one), min(int(one.tag[1]) - 1 + level, 3))
            elif one.tag in ("ul", "ol"):
                self._list(one, level)
            elif one.tag == "table":
                lines = [[_plain(cell) for cell in row.iter("th", "td")] for row in one.iter("tr")]
                if lines:
                    widest = max(map(len, lines))
                    filled = [line + [""] * (widest - len(line)) for line in lines]
                    self.table([(label, False) for label in filled[0]], filled[1:])
            elif any(child.tag in LISTED for child in one):  # a quotation and the like
                self._blocks(one, level)
            elif _plain(one):
                paragraph = self.doc.add_paragraph()
                self._indent(paragraph)
                _runs(paragraph, one)

    def _list(self, listed: Any, level: int) -> None:
        for number, item in enumerate(listed.iterchildren("li"), start=1):
            ordered = listed.tag == "ol"
            paragraph = self.doc.add_paragraph(f"{number}. " if ordered else "", None if ordered else "List Bullet")
            _runs(paragraph, item)
            for inner in item.iterchildren("ul", "ol"):
                self._list(inner, level)


def _runs(paragraph: Any, element: Any, *, bold: bool = False, italic: bool = False) -> None:
    """An element's words as runs, bold and italic kept; lists inside it are left to their own paragraphs."""

    def add(text: str | None) -> None:
        if text and (words := re.sub(r"\s+", " ", text)):
            run = paragraph.add_run(words)
            run.bold, run.italic = bold or None, italic or None

    add(element.text)
    for child in element:
        if child.tag == "br":
            paragraph.add_run().add_break()
        elif child.tag not in ("ul", "ol"):
            marked = {"bold": bold or child.tag in ("strong", "b"), "italic": italic or child.tag in ("em", "i")}
            _runs(paragraph, child, **marked)
        add(child.tail)


def _plain(element: Any) -> str:
    return re.sub(r"\s+", " ", element.text_content()).strip()


def _width(text: str) -> int:
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)


def _address(title: str) -> str:
    return "s_" + re.sub(r"\W+", "_", title)[:36]  # a bookmark's name has at most 40 characters


def _name(tag: str) -> str:
    from docx.oxml.ns import qn

    return qn(tag)


def _element(tag: str, attributes: Mapping[str, str] | None = None) -> Any:
    from docx.oxml import OxmlElement

    made = OxmlElement(tag)
    for key, value in (attributes or {}).items():
        made.set(_name(key), value)
    return made


def _ruled(table: Any, color: str, **sizes: int) -> None:
    """Lines of a table by side, in eighths of a point; its cells hold their words close."""
    borders = _element("w:tblBorders")
    for side, size in sizes.items():
        borders.append(_element(f"w:{side}", {"w:val": "single", "w:color": color, "w:sz": str(size)}))
    margins = _element("w:tblCellMar")
    for side in ("left", "right"):
        margins.append(_element(f"w:{side}", {"w:w": "57", "w:type": "dxa"}))  # a millimetre
    for one in (borders, margins):
        table._tbl.tblPr.find(_name("w:tblLook")).addprevious(one)


def _field(paragraph: Any, code: str, shown: str) -> None:
    """A field that Word fills in, such as the number of the page."""
    field = _element("w:fldSimple", {"w:instr": code})
    field.append(paragraph.add_run(shown)._r)
    paragraph._p.append(field)


def _pictures(blocks: Sequence[Mapping[str, Any]], content: Content) -> dict[str, bytes]:
    """The charts of a page as PNG, by their id: maps from their own SVG, the others by a browser where one works."""
    import resvg_py

    drawn = [block for block in blocks if block["kind"] == "chart"]
    pictures = [block["svg"] for kind, block in content.body if kind == "chart"]  # as they were made, not for a page
    found = {
        block["id"]: bytes(resvg_py.svg_to_bytes(svg_string=svg, width=int(PIXELS * SCALE), background="white"))
        for block, svg in zip(drawn, pictures, strict=True)
        if svg
    }
    rest = [block for block in blocks if "figure" in block and block["id"] not in found]
    if rest:
        with ThreadPoolExecutor(1) as thread:  # of its own, since a notebook's kernel runs a loop already
            found |= thread.submit(asyncio.run, _by_browser(rest)).result()
    return found


async def _by_browser(blocks: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    import kaleido
    from choreographer.errors import BrowserFailedError, ChromeNotFoundError

    found: dict[str, bytes] = {}
    try:
        async with kaleido.Kaleido(mathjax=False) as browser:
            for block in blocks:
                size = {"width": PIXELS, "height": block["height"], "scale": SCALE, "format": "png"}
                layout = {k: v for k, v in block["figure"]["layout"].items() if k not in ("sliders", "updatemenus")}
                figure = {"data": block["figure"]["data"], "layout": layout}
                found[block["id"]] = await browser.calc_fig(figure, opts=size)
    except (ChromeNotFoundError, BrowserFailedError) as error:
        logger.warning("%d charts are not drawn: %s", len(blocks), error)
    return found
