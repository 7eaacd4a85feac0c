"""Petersen (2009): the same coefficient under errors by firm, by year and by both, on his test data."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from institute_lib.policy.regression import least_squares

spec = importlib.util.spec_from_file_location("policy_data", Path(__file__).with_name("policy_data.py"))
published = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published)


@pytest.mark.parametrize(
    ("errors", "by", "intercept", "slope"),
    [
        ("classical", (), 0.0284, 0.0286),
        ("robust", (), 0.0284, 0.0284),
        ("cluster", ("firm",), 0.0670, 0.0506),
        ("cluster", ("year",), 0.0234, 0.0334),
        ("cluster", ("firm", "year"), 0.0651, 0.0536),
    ],
)
def test_petersen_errors(errors, by, intercept, slope):
    firms = published.petersen()
    columns = np.column_stack([np.ones(len(firms)), firms["x"]])
    clusters = [firms[name].to_numpy() for name in by]
    fit = least_squares(firms["y"].to_numpy(), columns, clusters=clusters, errors=errors, factor="own")
    assert fit.coefficients == pytest.approx([0.0297, 1.0348], abs=5.1e-5)
    assert fit.se == pytest.approx([intercept, slope], abs=5.1e-5)
