"""Singer and Willett's special educators (2003, table 10.1): life table, curve and hazard model."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from institute_lib import retention
from institute_lib.retention.survival import kaplan_meier

spec = importlib.util.spec_from_file_location("retention_data", Path(__file__).with_name("retention_data.py"))
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)


def test_the_published_counts_follow_on_each_other():
    table = published.TEACHERS
    following = table["employed"] - table["left"] - table["censored"]
    assert following.iloc[:-1].tolist() == table["employed"].iloc[1:].tolist()
    assert following.iloc[-1] == 0


def test_singer_willett_teachers_life_table():
    result = retention.life_table(published.teacher_years(), tenure="year", event="event", weights="people", origin=1)
    table = result.to_frame()
    assert table["at_risk"].tolist() == published.TEACHERS["employed"].tolist()
    assert table["events"].tolist() == published.TEACHERS["left"].tolist()
    assert table["censored"].tolist() == published.TEACHERS["censored"].tolist()
    assert table["hazard"].round(4).tolist() == list(published.TEACHERS_HAZARD)
    assert table["survival"].round(4).tolist() == list(published.TEACHERS_SURVIVAL)
    assert round(result.median, 1) == published.TEACHERS_MEDIAN


def test_singer_willett_teachers_curve_is_the_same_from_people():
    people = published.teachers()
    curve = kaplan_meier(np.zeros(len(people)), people["year"], people["gone"])
    assert curve["at_risk"].tolist() == published.TEACHERS["employed"].tolist()
    assert curve["survival"].round(4).tolist() == list(published.TEACHERS_SURVIVAL)


@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_singer_willett_teachers_hazard_model_by_year_returns_the_life_table(link):
    counts = published.teacher_years().query("people > 0")
    model = retention.hazard(counts, event="event", drivers=["C(year)"], weights="people", link=link)
    hazards = model.predict(pd.DataFrame({"year": range(1, 13)}))
    assert hazards.round(4).tolist() == list(published.TEACHERS_HAZARD)
    assert model.n_rows == published.TEACHERS["employed"].sum()
    assert model.n_events == published.TEACHERS["left"].sum()
