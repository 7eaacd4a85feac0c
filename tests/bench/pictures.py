"""`python -m tests.bench.pictures`: draw the clerk's page's pictures through LibreOffice. Nobody in them exists."""

import tempfile
from pathlib import Path

import openpyxl
import pypdfium2
from PIL import Image, ImageChops

from institute_lib import registers
from institute_lib.registers import marking, template
from tests.bench import libreoffice
from tests.offices import number, write_workbook

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
HEADERS = ["姓名", "身份证号", "区", "社工站", "级别", "学历", "月薪", "入职日期"]
ROWS = [
    ["甄无名", number(1), "崇川区", "甲社工站", "助理", "本科", 5300, "2019-07-01"],
    ["贾有名", number(2)[:-1] + "?", "海门区", "乙社工站", "中级", "本科在读", 7100, "2015-03-09"],
    ["甄别人", number(3), "经开区", "丙站 13800138000", "未持证", "大专", 4200, "2024年1月"],
    ["甄又一", number(5), "如东县", "甲社工站", "初级证", "大专", 530000, "2008-12-31"],
]
WIDTH = 1_100  # pixels


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_workbook(folder / "名册.xlsx", ROWS, HEADERS, change=lambda book: _title(book, "名册"))
        report = registers.check(path, today="2026-01-01")
        marked = marking.mark(report, path.name, folder / "marked.xlsx")
        for sheet, picture in (("核对结果", "findings"), ("名册", "marked"), ("生词", "words")):
            draw(marked, sheet, PICTURES / f"{picture}.png")
        empty = template.write(folder / "empty.xlsx", ["workers"], quarter="2025Q4")
        draw(empty, "从业人员登记", PICTURES / "template.png", area="A1:H5")


def _title(book: openpyxl.Workbook, title: str) -> None:
    book.active.title = title
    book.active.column_dimensions["B"].width = 22
    book.active.column_dimensions["D"].width = 18


def draw(path: Path, sheet: str, to: Path, area: str = "") -> None:
    """One sheet of a workbook as a picture, in the width of a page of text."""
    book = openpyxl.load_workbook(path)
    for other in book.worksheets:
        other.sheet_state = "visible" if other.title == sheet else "hidden"
    page = book[sheet]
    book.active = book.index(page)
    page.page_setup.orientation, page.page_setup.fitToHeight = "landscape", 0
    page.sheet_properties.pageSetUpPr = openpyxl.worksheet.properties.PageSetupProperties(fitToPage=True)
    page.print_options.gridLines = page.print_options.headings = True
    page.print_area = area or page.dimensions
    page.oddHeader.center.text = page.oddFooter.center.text = ""
    single = path.with_name(f"{to.stem}.xlsx")
    book.save(single)
    pdf = pypdfium2.PdfDocument(libreoffice.save(single, path.parent / "pdf", libreoffice.PDF))
    image = pdf[0].render(scale=3).to_pil().convert("RGB")
    image = image.crop(ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox())
    image = image.resize((WIDTH, round(image.height * WIDTH / image.width)))
    image.quantize(128).save(to, optimize=True)


if __name__ == "__main__":
    main()
