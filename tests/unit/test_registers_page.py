"""The clerk's page of data/README.md: which headers and words may be written, and what each finding means."""

import re
from pathlib import Path

import pytest

from institute_lib import terms
from institute_lib.registers import cleaning, vocabulary

README = (Path(__file__).parents[2] / "data" / "README.md").read_text(encoding="utf-8")
WARNINGS = {
    "hidden_sheet",
    "sheet_unread",
    "hidden_rows",
    "hidden_column",
    "unquoted_thousands",
    "row_repeated",
    "control_characters",
    "newline_in_cell",
    "formula_shaped",
    "text_names_somebody",
    "identity_check_foreigner",
    "identity_area",
    "old_unchecked",
    "header_remark",
    "header_aside",
    "row_struck",
    "comment",
    "share_small",
    "text_name_is_word",
    "amount_odd",
    "overstaffed",
    "subsidy_above_pay",
    "code_zeros",
    "reason_without_day",
    "point_outside",
    "point_swapped",
    "point_system",
    "entered_before_birth",
    "age_odd",
    "gender_conflict",
    "town_unknown",
}
NOTES = {
    "column_personal",
    "column_unused",
    "column_unnamed",
    "totals_excluded",
    "footers_excluded",
    "headers_repeated",
    "merged_filled",
    "district_of_sheet",
    "sheet_of_another_table",
    "sheet_empty",
    "examples_excluded",
    *cleaning.NOTES,
} - WARNINGS


def said(key):
    """A text of the room in Chinese, with an ellipsis where a file's own detail will stand."""
    return re.sub(r"\{\w+\}", "…", terms.catalogue("registers")[key]["zh"])


def findings(rules, named=False):
    names = [f" `{rule}` |" if named else "" for rule in rules]
    rows = [
        f"| {said(f'rule_{rule}')} | {said(f'remedy_{rule}')} |{name}" for rule, name in zip(rules, names, strict=True)
    ]
    return "\n".join(["| 问题 | 如何处理 |" + " 名称 |" * named, "|---|---|" + "---|" * named, *rows])


def headers(table):
    rows = [
        f"| {'、'.join(column.headers)} | {'是' if column.required else ''} | {words(column.type)} |"
        for column in vocabulary.columns(table)
    ]
    return "\n".join(["| 表头可写作 | 必填 | 内容 |", "|---|---|---|", *rows])


def words(type_name):
    """What may stand in a column of this type."""
    if not vocabulary.is_level_list(type_name):
        return said(f"type_{type_name}")
    entries = vocabulary.declared()["levels"][type_name].values()
    return "；".join("、".join(listed) for listed in entries)


def rules():
    return [key.removeprefix("rule_") for key in terms.catalogue("registers") if key.startswith("rule_")]


def page():
    """The generated half of the clerk's page."""
    shown = [
        f"#### {terms.label(table, 'zh', column='table')} `--table {table}`\n\n{headers(table)}"
        for table in vocabulary.tables()
    ]
    kinds = {
        "错误：改好才能导入": [rule for rule in rules() if rule not in WARNINGS | NOTES],
        "提醒：请逐条核对；属实就逐个加 `--confirm 名称` 导入（全部属实用 `--yes`），并记录在案": [
            rule for rule in rules() if rule in WARNINGS
        ],
        "说明：无需处理": [rule for rule in rules() if rule in NOTES],
    }
    told = [f"#### {title}\n\n{findings(listed, title.startswith('提醒'))}" for title, listed in kinds.items()]
    return "\n\n".join(["### 表头与写法", *shown, "### 每个问题是什么意思", *told])


def test_every_header_word_and_finding_stands_on_the_clerks_page():
    assert page() in README, f"data/README.md should hold:\n{page()}"


@pytest.mark.parametrize("rule", rules())
def test_every_rule_has_a_remedy_and_both_in_both_languages(rule):
    catalogue = terms.catalogue("registers")
    for key in (f"rule_{rule}", f"remedy_{rule}"):
        assert set(catalogue[key]) == {"zh", "en"}
        assert all(catalogue[key].values())


def test_every_rule_that_the_code_names_has_its_words():
    folder = Path(vocabulary.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    named = set(re.findall(r'(?:Refus(?:ed|al)|Problem|IdentityFault)\(\s*"(\w+)"|fault="(\w+)"', code))
    assert {one or other for one, other in named} <= set(rules())
