"""Smaller covering problems with the same answer: what decides nothing is dropped before anything is solved."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def distinct(reach: "csr_array", weights: np.ndarray) -> "tuple[csr_array, np.ndarray]":
    """Points that count and can be reached, with those that the same sites reach merged into one."""
    reach.sort_indices()
    bounds = zip(reach.indptr[:-1], reach.indptr[1:], strict=True)
    keys = pd.Series([reach.indices[start:stop].tobytes() for start, stop in bounds], dtype="object")
    counts = (weights > 0) & (np.diff(reach.indptr) > 0)
    keys = keys[counts]
    merged = pd.Series(weights[counts], keys.index).groupby(keys).sum()
    first = keys.drop_duplicates()
    return reach[first.index.to_numpy()], merged.loc[first].to_numpy()


def reduced(rows: "csr_array") -> tuple[np.ndarray, np.ndarray]:
    """Points and sites that matter to a full cover: repeated until nothing more can be dropped."""
    points, sites = np.arange(rows.shape[0]), np.arange(rows.shape[1])
    while True:
        part = rows[points][:, sites].tocsr()
        keep_points = ~_implied(part)
        part = part[keep_points]
        keep_sites = ~_implied(part.T.tocsr(), larger=True)
        points, sites = points[keep_points], sites[keep_sites]
        if keep_points.all() and keep_sites.all():
            return points, sites


def _implied(rows: "csr_array", *, larger: bool = False) -> np.ndarray:
    """Rows that contain another row (or, if `larger`, are contained in another); of equal rows the first stays."""
    from scipy.sparse import coo_array

    size = np.diff(rows.indptr)
    shared = coo_array(rows @ rows.T)
    one, other = shared.coords
    inside = (shared.data == size[one]) & (one != other)  # row `one` lies within row `other`
    ties = size[one] == size[other]
    dropped = np.zeros(rows.shape[0], bool)
    which, kept = (one, other) if larger else (other, one)
    dropped[which[inside & (~ties | (which > kept))]] = True
    return dropped | (size == 0) if larger else dropped
