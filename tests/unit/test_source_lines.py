import pandas as pd

from institute_lib import parameters, tables


def frame(name, source="demo"):
    table = pd.DataFrame({"district": ["320613", "320685"]})
    table.attrs = {"name": name, "source": source, "as_of": "2025-12-31"}
    return table


def test_a_source_line_names_the_registers_and_the_day():
    assert tables.cite(frame("workers"), frame("exams")) == "演示数据（从业人员登记、考试），截至2025年12月31日"
    assert "Demo data (Workers)" in tables.cite(frame("workers"), language="en")


def test_the_rows_of_a_study_keep_where_they_came_from():
    study = parameters.study(area="320613", quarter="2025Q4")
    rows = study.select(frame("workers"))
    assert list(rows["district"]) == ["320613"]
    assert tables.is_demo(rows)


def test_the_last_quarters_end_with_the_studys_own():
    study = parameters.study(area="320613", quarter="2025Q1")
    assert study.quarters(3) == ("2024Q3", "2024Q4", "2025Q1")
    assert study.quarters(2, until="2024Q1") == ("2023Q4", "2024Q1")
