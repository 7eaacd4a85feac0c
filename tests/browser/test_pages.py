"""The check of a page finds what is wrong with it: each fault planted on one page is named."""

import pytest

from tests.browser import pages

PAGE = """<!doctype html>
<title>planted</title>
<style>@page {size: A4; margin: 0} .next {break-before: page} .plot {height: 50px; width: 50px}</style>
<h1>one</h1><h1>two</h1>
<img src="http://127.0.0.1:9/pixel.png">
<script type="application/json" class="figure" data-plot="plot">{"data": [{}, {}]}</script>
<figure class="chart"><div id="plot" class="plot" aria-label="a chart">
<svg class="main-svg" width="50" height="50"><g class="xy"><text x="40" y="20">far too long for it</text></g></svg>
</div></figure>
<p class="next">&nbsp;</p>
<script>Object.assign(document.getElementById("plot"), {_fullData: [{}], _fullLayout: {width: 455}});
console.error("planted");</script>
"""


@pytest.mark.parametrize(
    "named",
    [
        "chart 'a chart': 0 of 2 traces",
        "its text far too long for it is cut",
        "error: planted",
        "asked for http://127.0.0.1:9/pixel.png",
        "its language is ''",
        "2 h1",
        "image-alt",
        "0 tables of 1 charts",
        "an empty chart shows without scripts",
        "printed page 1 of 2 has no number",
        "printed page 2 of 2 is empty",
        "printed page 1 of 2 runs over its left margin",
    ],
)
def test_what_is_planted_on_a_page_is_found(planted, named):
    assert any(named in fault for fault in planted), planted


@pytest.fixture(scope="module")
def planted(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("quarter") / "notebook" / "area" / "brief.html"
    path.parent.mkdir(parents=True)
    path.write_text(PAGE, encoding="utf-8")
    return pages.faults(browser, path, "zh", path.parent)
