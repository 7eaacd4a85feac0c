"""A browser that has no network, and executed notebooks made by hand from invented figures."""

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

from institute_lib import brief, charts, disclosure
from institute_lib.result import Measure, Provenance, Result
from institute_lib.sharing import Read
from tests.shown import opening, shown

_spec = importlib.util.spec_from_file_location("chromium", Path(__file__).parent / "chromium.py")
chromium = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chromium)

DISTRICTS = ("320612", "320613", "320614", "320623", "320681", "320682", "320685")
QUARTERS = tuple(str(period) for period in pd.period_range("2019Q1", "2025Q4", freq="Q"))
DEMO = Provenance([Read("tables", "district_panel", "2025-12-31", source="demo", personal=True)])
SCRIPT = "</script><script>alert(2)</script>"
MARKUP = "<img src=x onerror=alert(1)>"


def district_panel(language: str) -> disclosure.Protected:
    """Stay rates of seven districts over the quarters; one of them did not report once."""
    rng = np.random.default_rng(7)
    rows = []
    for i, district in enumerate(DISTRICTS):
        level = 0.955 + 0.004 * i
        for t, quarter in enumerate(QUARTERS):
            rate = min(level + 0.0006 * t + rng.normal(0, 0.0025), 0.999)
            missing = district == "320623" and quarter == "2022Q2"
            rows.append((district, quarter, math.nan if missing else rate, math.nan if missing else 300 + 90 * i))
    frame = pd.DataFrame(rows, columns=["district", "quarter", "stay_rate", "headcount"])
    return shown(frame.drop(columns="headcount"), columns="quarter", demo=True, language=language)


def education_table(language: str) -> disclosure.Protected:
    """Heads by district and education with totals; one cell is small."""
    rng = np.random.default_rng(11)
    counts = rng.integers(14, 260, size=(7, 4))
    counts[2, 3] = 4
    frame = pd.DataFrame(counts, index=DISTRICTS, columns=["secondary", "college", "bachelor", "master"])
    frame["total"] = frame.sum(axis=1)
    frame.loc["320600"] = frame.sum()
    long = frame.rename_axis("district").reset_index().melt("district", var_name="education", value_name="headcount")
    of_persons = {"persons": "headcount", "demo": True, "language": language}
    return shown(long, rows="district", columns="education", value="headcount", **of_persons)


def rate_table(language: str) -> disclosure.Protected:
    """Turnover of the latest year by district, with intervals and denominators."""
    rate = np.array([0.083, 0.121, 0.074, 0.098, 0.066, 0.091, 0.079])
    size = np.array([820, 1450, 610, 540, 930, 760, 690])
    half = 1.96 * np.sqrt(rate * (1 - rate) / size)
    frame = pd.DataFrame(
        {
            "district": DISTRICTS,
            "turnover_rate": rate,
            "headcount": size,
            "ci_low": rate - half,
            "ci_high": rate + half,
        }
    )
    return shown(frame, rows="district", demo=True, language=language)


def control_table(language: str) -> disclosure.Protected:
    rng = np.random.default_rng(3)
    rate = 0.028 + rng.normal(0, 0.002, len(QUARTERS))
    rate[20] = 0.047
    frame = pd.DataFrame({"quarter": QUARTERS, "turnover_rate": rate, "headcount": 4200})
    return shown(frame, rows="quarter", demo=True, language=language)


def provider_table(language: str) -> disclosure.Protected:
    """Names that carry markup and formulas, as a register may hold them."""
    frame = pd.DataFrame(
        {
            "provider": [
                MARKUP,
                '=HYPERLINK("http://example.org","x")',
                "</script><script>alert(2)</script>",
                "甲社工服务中心",
            ],
            "amount": [820_000.0, 640_000.0, 310_000.0, 1_240_000.0],
        }
    )
    return shown(frame, units={"amount": "yuan"}, source="采购合同台账", demo=True, language=language)


def hazard() -> Result:
    """Ratios of a model's terms; of one level too few persons left."""
    rows = [
        ("certificate", "assistant", -0.18, 0.06, 5200, 210),
        ("certificate", "social_worker", -0.34, 0.07, 2900, 96),
        ("certificate", "senior", -0.41, 0.21, 240, 14),
        ("education", "college", 0.05, 0.06, 6100, 260),
        ("education", "bachelor", 0.22, 0.08, 2400, 141),
        ("supervised", "True", -0.27, 0.05, 4800, 150),
        ("contract", "project", 0.44, 0.07, 3100, 205),
        ("contract", "fixed_term", 0.12, 0.07, 5000, 231),
        ("kind", "school", 0.9, 0.6, 12, 2),
    ]
    frame = pd.DataFrame(rows, columns=["term", "level", "estimate", "se", "n_rows", "n_events"])
    for name, ends in (("ratio", 0), ("ratio_low", -1.96), ("ratio_high", 1.96)):
        frame[name] = np.exp(frame["estimate"] + ends * frame["se"])
    ratio = Measure("ratio", "ratio", digits=2, interval="given", statistic="estimate")
    return Result(frame, ("term", "level"), (ratio,), "n_rows", DEMO, title="notebooks.drivers", events="n_events")


def curves() -> Result:
    """Shares still employed by years of service."""
    parts = []
    for group, rate, size in (("community", 0.10, 900), ("agency", 0.19, 420), ("drug", 0.14, 160)):
        time = np.linspace(0.02, 6.8, 160)
        survival = np.exp(-rate * time)
        at_risk = np.maximum((size * survival * (1 - time / 7)).round(), 1)
        half = 1.96 * np.sqrt(survival * (1 - survival) / np.maximum(at_risk, 20))
        ends = {"survival_low": survival - half, "survival_high": np.minimum(survival + half, 1)}
        parts.append(pd.DataFrame({"group": group, "time": time, "survival": survival, **ends}))
    survival = Measure("survival", "share", interval="given", statistic="estimate")
    return effects(pd.concat(parts, ignore_index=True), ("group", "time"), survival)


def gaps() -> Result:
    """The gaps of a treated district and of thirty others."""
    rng = np.random.default_rng(5)
    parts = [pd.DataFrame({"unit": f"3205{k:02d}", "gap": rng.normal(0, 0.0022, len(QUARTERS))}) for k in range(10, 40)]
    own = np.where(np.arange(len(QUARTERS)) >= 20, 0.009, 0) + rng.normal(0, 0.0008, len(QUARTERS))
    frame = pd.concat([pd.DataFrame({"unit": "320613", "gap": own}), *parts], ignore_index=True)
    return effects(frame.assign(period=QUARTERS * 31), ("unit", "period"), estimate("gap"), across="period")


def path() -> Result:
    t = np.arange(len(QUARTERS))
    base = 0.95 + 0.0005 * t + np.random.default_rng(5).normal(0, 0.0012, len(t))
    frame = pd.DataFrame({"period": QUARTERS, "observed": base + np.where(t >= 20, 0.009, 0), "counterfactual": base})
    measures = [replace(estimate(name), unit="share") for name in ("observed", "counterfactual")]
    return effects(frame, ("period",), *measures)


def event_study() -> Result:
    k = np.arange(-8, 9)
    frame = pd.DataFrame({"relative_period": k, "effect": np.where(k < 0, 0.0004 * np.sin(k), 0.004 + 0.0008 * k)})
    frame["effect_low"], frame["effect_high"] = frame["effect"] - 0.003, frame["effect"] + 0.003
    return effects(frame, ("relative_period",), estimate("effect", interval="given"))


def estimate(name: str, **more) -> Measure:
    return Measure(name, "points", statistic="estimate", **more)


def effects(frame: pd.DataFrame, keys: tuple, *measures: Measure, **look) -> Result:
    """A result of the demo's panel of persons."""
    return Result(frame.assign(persons=48), keys, measures, "persons", DEMO, title="notebooks.drivers", look=look)


def all_charts(language: str) -> list[charts.Chart]:
    """One of each kind of chart."""

    def view(result: Result) -> disclosure.Protected:
        return disclosure.protected(result, language=language)

    by_rate = rate_table(language)
    return [
        charts.draw_trend(district_panel(language), language=language),
        charts.draw_dot(by_rate, language=language, highlight=["320613"]),
        charts.draw_bars(provider_table(language), language=language),
        charts.draw_funnel(by_rate, language=language),
        charts.draw_control(control_table(language), language=language),
        charts.draw_forest(view(hazard()), language=language),
        charts.draw_survival(view(curves()), language=language),
        charts.draw_event_study(view(event_study()), language=language),
        charts.draw_pilot_path(view(path()), language=language, start="2024Q1"),
        charts.draw_placebos(view(gaps()), language=language, treated="320613", start="2024Q1"),
    ]


PROSE = {
    "zh": f"# 笔记本标题\n\n## 一、离职率的走势\n\n过去六年，各区县的**季度留任率**总体上升。\n\n{MARKUP}",
    "en": f"# Notebook\n\n## 1. Turnover over time\n\nThe **quarterly stay rate** rose.\n\n{MARKUP}",
}
METHODS = {
    "zh": "### 方法\n\n离职率等于期内离职人数除以期初在岗人数。\n\n### 局限\n\n登记册不含辞职原因的细类。",
    "en": "### Method\n\nTurnover is leavers over heads at the start.\n\n### Limits\n\nNo detailed reasons.",
}
FINDINGS = {
    "zh": [
        "南通市2025年第四季度离职率为2.8%（95%置信区间2.4%至3.3%），低于上年同期。",
        "崇川区年离职率最高，为12.1%；海安市最低。",
        "接受督导的社工离职风险约为未接受者的四分之三。",
    ],
    "en": [
        "Turnover in Nantong was 2.8% in Q4 2025 (95% confidence interval 2.4% to 3.3%).",
        "Chongchuan's annual turnover was highest at 12.1%.",
        "Supervised social workers leave at about three quarters of the rate of others.",
    ],
}
TITLE = {"zh": "社会工作者为何离职？", "en": "Why do social workers leave?"}


def output(shown: object) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("execute_result", data=shown._repr_mimebundle_(), execution_count=1)


def notebook_of(shown: list[object], language: str, **findings: object) -> nbformat.NotebookNode:
    """An executed notebook: prose, parameters, an opening, one output a cell, and outputs that must stay behind."""
    new = nbformat.v4
    head = opening(title=TITLE[language], demo=True, language=language, **findings)
    parameters = new.new_code_cell('area = "320600"\nquarter = "2025Q4"', metadata={"tags": ["parameters"]})
    raw = new.new_code_cell(
        "workers.head()",
        outputs=[
            new.new_output("stream", text="SECRET-STREAM"),
            new.new_output("display_data", data={"text/html": "<b>SECRET-FRAME</b><script>alert(4)</script>"}),
        ],
    )
    cells = [
        new.new_markdown_cell(PROSE[language]),
        parameters,
        raw,
        *(new.new_code_cell("SECRET_CODE()", outputs=[output(one)]) for one in (head, *shown)),
        new.new_markdown_cell(METHODS[language], metadata={"tags": ["methods"]}),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return new.new_notebook(cells=cells, metadata={"language_info": {"name": "python", "version": "3.11.9"}})


def whole_notebook(language: str) -> nbformat.NotebookNode:
    findings = {"findings": FINDINGS[language], "area": "320600", "as_of": "2025-12-31"}
    return notebook_of([*all_charts(language), education_table(language)], language, **findings)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; a missing one is installed, never skipped."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium.find_or_install(), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session", params=["zh", "en"])
def written_brief(request, tmp_path_factory):
    """A brief with every kind of chart, in one language: its path and the notebook's charts."""
    folder = tmp_path_factory.mktemp(f"brief_{request.param}")
    path = brief.export(whole_notebook(request.param), folder / "brief.html", language=request.param)
    return SimpleNamespace(path=path, language=request.param, charts=len(all_charts(request.param)))


@pytest.fixture
def make_notebook():
    """Makes an executed notebook of things shown, in a language."""
    return notebook_of
