"""Classes of a map: the breaks, how they were found, and colours that survive colour blindness and a copier."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from institute_lib.errors import ParameterError, nearest

# One hue, lightness falling evenly: the order of classes can be read in grey, and by any kind of colour vision.
SEQUENCE = ("#eef3fa", "#c3d9ee", "#8fb9dc", "#5790c4", "#2a639f", "#0f3a6b")
SCHEMES = {"fisher_jenks": "FisherJenks", "quantiles": "Quantiles", "equal": "EqualInterval"}
STATES = ("highlight", "hidden", "missing", "outside")  # of regions without a figure, as a legend lists them


@dataclass(frozen=True)
class Classes:
    """`of`: class of each value (−1 where there is none); `colours`, `ranges` (lowest, highest value), `sizes`."""

    scheme: str
    of: np.ndarray
    colours: tuple[str, ...]
    ranges: tuple[tuple[float, float], ...]
    sizes: tuple[int, ...]


def classify(values: pd.Series, *, scheme: str = "fisher_jenks", k: int = 5) -> Classes:
    """Values in at most k classes; no more than there are distinct values ("each": one class a value).

    Args:
        values: figures, missing ones allowed.
        scheme: "fisher_jenks" (least variance within classes; Fisher 1958, Jenks 1977), "quantiles", "equal".
        k: 2 to 6 classes.

    Raises:
        ParameterError: an unknown scheme, or k outside 2 to 6.
    """
    if scheme not in SCHEMES:
        raise ParameterError(f"scheme {scheme!r}: {nearest(scheme, SCHEMES)}")
    if not 2 <= k <= len(SEQUENCE):
        raise ParameterError(f"k {k!r}: from 2 to {len(SEQUENCE)} classes")
    known = values.notna().to_numpy()
    figures = values.to_numpy(float)
    of = np.full(len(values), -1)
    distinct = np.unique(figures[known])
    if len(distinct) <= k:
        scheme, of[known] = "each", np.searchsorted(distinct, figures[known])
    else:
        of[known] = np.unique(_bins(figures[known], scheme, k), return_inverse=True)[1]
    number = int(of.max()) + 1
    ranges = tuple((float(figures[of == one].min()), float(figures[of == one].max())) for one in range(number))
    sizes = tuple(int((of == one).sum()) for one in range(number))
    return Classes(scheme, of, _colours(number), ranges, sizes)


def _bins(figures: np.ndarray, scheme: str, k: int) -> np.ndarray:
    import mapclassify

    with warnings.catch_warnings():  # natural breaks say on every call that they would be faster with numba
        warnings.filterwarnings("ignore", message="Numba not installed")
        return getattr(mapclassify, SCHEMES[scheme])(figures, k=k).yb


def _colours(number: int) -> tuple[str, ...]:
    if number == 1:
        return (SEQUENCE[0],)
    steps = np.linspace(0, len(SEQUENCE) - 1, number).round().astype(int) if number else []
    return tuple(SEQUENCE[step] for step in steps)
