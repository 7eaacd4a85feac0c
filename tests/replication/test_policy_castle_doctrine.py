"""Goodman-Bacon's weights on castle-doctrine laws (Cheng and Hoekstra 2013), as R's bacondecomp prints them."""

import importlib.util
from pathlib import Path

import pytest

from institute_lib import disclosure, policy
from institute_lib.result import Provenance
from institute_lib.sharing import Read

spec = importlib.util.spec_from_file_location("policy_data", Path(__file__).with_name("policy_data.py"))
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)


def test_bacon_decomposition_of_castle_doctrine_laws():
    columns = {"outcome": "l_homicide", "unit": "sid", "period": "year", "treated": "enacted"}
    effect = policy.two_way(published.castle(), **columns)
    table = effect.decomposition.assign(product=lambda frame: frame["weight"] * frame["estimate"])
    sums = table.groupby("kind")[["weight", "product"]].sum()
    means = sums["product"] / sums["weight"]
    assert effect.att == pytest.approx(0.0818116169306475, abs=1e-9)
    assert sums["weight"].to_dict() == pytest.approx(
        {"earlier_vs_later": 0.05976325, "later_vs_earlier": 0.03189818, "treated_vs_never": 0.90833857}, abs=1e-8
    )
    assert means.to_dict() == pytest.approx(
        {"earlier_vs_later": -0.00554, "later_vs_earlier": 0.07032, "treated_vs_never": 0.08796}, abs=5.1e-6
    )
    assert table["product"].sum() == pytest.approx(effect.att, abs=1e-12)


def test_a_notebook_shows_and_says_the_published_estimate():
    """0.0818 in R; a researcher's own file of places is shown exactly."""
    columns = {"outcome": "l_homicide", "unit": "sid", "period": "year"}
    own = Provenance([Read("files", "castle.csv", source="own", personal=False)])
    for effect in (
        policy.two_way(published.castle(), **columns, treated="enacted"),
        policy.regression(published.castle(), "l_homicide ~ enacted", unit="sid", period="year"),
    ):
        shown = disclosure.protected(effect.as_result(own), language="en")
        assert shown.figure("estimate").cell("en") == "0.0818"
        assert "a change of 0.0818 in “l_homicide” on average" in str(shown.summary("en"))
