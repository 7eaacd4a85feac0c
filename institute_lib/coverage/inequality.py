"""Equity: how evenly provision is spread over people, and whether it clusters on the map."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from institute_lib import terms
from institute_lib.coverage.catchment import in_metres
from institute_lib.coverage.checks import require_columns
from institute_lib.errors import DataError, ParameterError, nearest
from institute_lib.results import Result
from institute_lib.retention.spells import plain

if TYPE_CHECKING:
    import geopandas as gpd
    from scipy.sparse import csr_array

# Below this many units a permutation p says little about a pattern: Moran's I is refused, with the reason.
SMALLEST_N = 30
NEIGHBOURS = ("contiguity", "nearest")


@dataclass(frozen=True)
class Moran:
    """Moran's I with row-standardised weights, and how rare it is among permutations of the values.

    `p_value` is two-sided around the permutations' mean; `p_one_sided` counts the side that I lies on (`p_sim` of
    PySAL's esda). `neighbours` is the assumption about who is near whom; `islands` have none and stay out.
    """

    i: float
    expected: float
    p_value: float
    p_one_sided: float
    permutations: int
    neighbours: str
    units: int
    islands: int


@dataclass(frozen=True)
class Equity(Result):
    """Inequality of a per-person value over people.

    `lorenz`: people, value (cumulated shares, from 0 to 1). `groups`: group, people (share), mean, theil.
    `theil` = `theil_between` + `theil_within`. `moran` is None where it was refused; `moran_reason` says why.
    """

    value: str
    units: int
    mean: float
    gini: float
    theil: float
    theil_between: float | None
    theil_within: float | None
    lorenz: pd.DataFrame
    groups: pd.DataFrame
    moran: Moran | None
    moran_reason: str | None
    warnings: tuple[str, ...] = field(default=())

    def summary(self, language: str = "zh") -> str:
        parts = [
            terms.text(
                "coverage.gini",
                language,
                gini=terms.number(self.gini, language, 3),
                theil=terms.number(self.theil, language, 3),
            )
        ]
        if self.theil_between is not None and self.theil > 0:
            share = terms.percent(self.theil_between / self.theil, language)
            parts.append(terms.text("coverage.theil_between", language, share=share))
        if self.moran is not None:
            i, p = terms.number(self.moran.i, language, 2), terms.number(self.moran.p_value, language, 3)
            neighbours = terms.text(f"coverage.neighbours_{self.moran.neighbours}", language)
            parts.append(terms.text("coverage.moran", language, i=i, p=p, neighbours=neighbours))
        else:
            key = "moran_refused" if self.units < SMALLEST_N else "moran_impossible"
            parts.append(terms.text(f"coverage.{key}", language, units=self.units, least=SMALLEST_N))
        return terms.text("coverage.sentence_joint", language).join(parts)

    def deciles(self) -> pd.DataFrame:
        """The Lorenz curve at every tenth of the people, the least provided first: people, value (shares)."""
        tenths = np.arange(11) / 10
        return pd.DataFrame({"people": tenths, "value": np.interp(tenths, self.lorenz["people"], self.lorenz["value"])})

    def to_frame(self) -> pd.DataFrame:
        """measure, value: one row a measure."""
        moran = {} if self.moran is None else {"moran_i": self.moran.i, "moran_p": self.moran.p_value}
        names = ("units", "mean", "gini", "theil", "theil_between", "theil_within")
        values = {name: getattr(self, name) for name in names} | moran
        return pd.DataFrame({"measure": list(values), "value": pd.array(list(values.values()), "Float64")})


def equity(
    frame: pd.DataFrame,
    *,
    value: str,
    weight: str,
    group: str | None = None,
    neighbours: str = "contiguity",
    permutations: int = 999,
    seed: int = 0,
) -> Equity:
    """Lorenz curve, Gini, Theil (within and between groups) and Moran's I of a value per person.

    Gini is twice the area between the diagonal and the Lorenz curve of people (weight) ordered by value; Theil's T is
    sum of w_i (v_i/m) ln(v_i/m) (Theil 1967), zero values contributing zero. Moran's I (Moran 1950; Cliff & Ord 1981)
    uses the unweighted values of units with neighbours and row-standardised weights; its p is (1 + permutations at
    least as far from their mean as I) / (permutations + 1).

    Args:
        frame: one row a unit; a GeoDataFrame where Moran's I is wanted.
        value: provision per person (such as access, or stations per 10,000), not a total.
        weight: people.
        group: the column of Theil's groups, such as "district".
        neighbours: the assumption about who is near whom: "contiguity" (polygons that touch, corners included) or
            "nearest" (the six nearest centroids).
        permutations, seed: of the permutation test.

    Raises:
        ParameterError: an unknown neighbour definition or fewer than 99 permutations.
        DataError: a column is missing, negative values or weights, or nothing to share out.
    """
    if neighbours not in NEIGHBOURS:
        raise ParameterError(f"neighbours {neighbours!r}: {nearest(neighbours, NEIGHBOURS)}")
    if permutations < 99:
        raise ParameterError(f"permutations {permutations!r}: at least 99")
    frame = plain(frame)
    require_columns(frame, [value, weight] + ([] if group is None else [group]), "equity")
    known = frame[frame[value].notna() & frame[weight].notna() & (frame[weight] != 0)]
    warnings = [f"{len(frame) - len(known)} of {len(frame)} units have no value or no people and are left out"]
    values, weights = known[value].to_numpy(float), known[weight].to_numpy(float)
    if len(known) == 0 or (values < 0).any() or (weights < 0).any() or not (values > 0).any():
        raise DataError(f"equity of {value!r}: values of 0 or more, not all 0, and weights of 0 or more are needed")
    lorenz = _lorenz(values, weights)
    groups, between, within = _theil_groups(known, values, weights, group)
    moran, reason = _moran(known, values, neighbours, permutations, seed)
    if moran and moran.islands:
        warnings.append(f"{moran.islands} units have no neighbour and stay out of Moran's I")
    return Equity(
        value=value,
        units=len(known),
        mean=float(np.average(values, weights=weights)),
        gini=float(1 - np.trapezoid(lorenz["value"], lorenz["people"]) * 2),
        theil=_theil(values, weights),
        theil_between=between,
        theil_within=within,
        lorenz=lorenz,
        groups=groups,
        moran=moran,
        moran_reason=reason,
        warnings=tuple(warnings[len(known) == len(frame) :]) + ((reason,) if reason else ()),
    )


def _lorenz(values: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    order = np.argsort(values, kind="stable")
    people, provision = np.cumsum(weights[order]), np.cumsum((values * weights)[order])
    return pd.DataFrame({"people": np.r_[0, people / people[-1]], "value": np.r_[0, provision / provision[-1]]})


def _theil(values: np.ndarray, weights: np.ndarray) -> float:
    ratio = values / np.average(values, weights=weights) if values.any() else np.ones_like(values)
    terms_ = np.where(ratio > 0, ratio * np.log(np.where(ratio > 0, ratio, 1)), 0)
    return float(np.average(terms_, weights=weights))


def _theil_groups(
    known: pd.DataFrame, values: np.ndarray, weights: np.ndarray, group: str | None
) -> tuple[pd.DataFrame, float | None, float | None]:
    if group is None:
        return pd.DataFrame(columns=["group", "people", "mean", "theil"]), None, None
    rows = []
    for name in known[group].unique():
        own = (known[group] == name).to_numpy()
        mean = float(np.average(values[own], weights=weights[own]))
        rows.append((name, weights[own].sum() / weights.sum(), mean, _theil(values[own], weights[own])))
    groups = pd.DataFrame(rows, columns=["group", "people", "mean", "theil"])
    between = _theil(groups["mean"].to_numpy(), groups["people"].to_numpy())
    provision = groups["people"] * groups["mean"]
    return groups, between, float((provision / provision.sum() * groups["theil"]).sum())


def _moran(
    known: "gpd.GeoDataFrame", values: np.ndarray, neighbours: str, permutations: int, seed: int
) -> tuple[Moran | None, str | None]:
    """Moran's I of the units that have neighbours, or why there is none."""
    if len(known) < SMALLEST_N:
        return None, f"Moran's I refused: {len(known)} units, at least {SMALLEST_N} are needed"
    if getattr(known, "geometry", None) is None:
        return None, "Moran's I refused: the units carry no geometry"
    if neighbours == "contiguity" and not known.geom_type.isin(["Polygon", "MultiPolygon"]).all():
        return None, "Moran's I refused: points do not touch; pass polygons, or neighbours='nearest'"
    links = _links(known, neighbours)
    linked = np.diff(links.indptr) > 0
    if linked.sum() < SMALLEST_N:
        return None, f"Moran's I refused: {linked.sum()} units have a neighbour, at least {SMALLEST_N} are needed"
    links, z = links[linked][:, linked], values[linked] - values[linked].mean()
    if not np.ptp(z) > 0:
        return None, "Moran's I refused: the value is the same in every unit"
    observed, rng = _statistic(links, z), np.random.default_rng(seed)
    drawn = np.array([_statistic(links, rng.permutation(z)) for _ in range(permutations)])
    centre = drawn.mean()
    extreme = int((np.abs(drawn - centre) >= abs(observed - centre)).sum())
    above = int((drawn >= observed).sum())
    return Moran(
        i=observed,
        expected=-1 / (len(z) - 1),
        p_value=(1 + extreme) / (permutations + 1),
        p_one_sided=(1 + min(above, permutations - above)) / (permutations + 1),
        permutations=permutations,
        neighbours=neighbours,
        units=len(z),
        islands=int((~linked).sum()),
    ), None


def _statistic(links: "csr_array", z: np.ndarray) -> float:
    """I of deviations; with row-standardised weights the units' count and the weights' sum cancel."""
    return float(z @ (links @ z) / (z @ z))


def _links(known: "gpd.GeoDataFrame", neighbours: str) -> "csr_array":
    from scipy.sparse import csr_array
    from scipy.spatial import cKDTree

    n = len(known)
    if neighbours == "contiguity":
        one, other = known.sindex.query(known.geometry, predicate="intersects")
    else:
        in_metres(known)
        centres = known.geometry.centroid
        tree = cKDTree(np.column_stack([centres.x, centres.y]))
        other = tree.query(tree.data, k=7)[1].ravel()
        one = np.repeat(np.arange(n), 7)
    apart = one != other
    links = csr_array((np.ones(apart.sum()), (one[apart], other[apart])), shape=(n, n))
    rows = np.asarray(links.sum(axis=1)).ravel()
    return csr_array(links.multiply(np.divide(1, rows, out=np.zeros(n), where=rows > 0)[:, None]))
