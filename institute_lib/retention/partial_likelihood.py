"""Cox's partial likelihood with risk sets (entry, exit], Efron's or Breslow's ties, without a loop over people.

All sums over a risk set are cumulative sums over the distinct event times, so that a fit costs a sort and a few passes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class RiskSets:
    """People, times and covariates laid out once. `x` is centred; first and last index the event times at risk."""

    x: np.ndarray
    event: np.ndarray
    times: np.ndarray
    first: np.ndarray
    last: np.ndarray
    at: np.ndarray
    efron: bool

    @classmethod
    def lay_out(
        cls, entry: np.ndarray, exit: np.ndarray, event: np.ndarray, x: np.ndarray, *, efron: bool
    ) -> "RiskSets":
        """A row is at risk at event time t when entry < t ≤ exit."""
        times = np.unique(exit[event])
        first = np.searchsorted(times, entry, side="right")
        last = np.searchsorted(times, exit, side="right")
        at = np.searchsorted(times, exit[event])
        return cls(x - x.mean(axis=0), event, times, first, np.maximum(last, first), at, efron)

    @cached_property
    def tied(self) -> np.ndarray:
        """Events at each event time."""
        return np.bincount(self.at, minlength=len(self.times))

    @cached_property
    def _draws(self) -> tuple[np.ndarray, np.ndarray]:
        """For each event in turn within its time: the time's index, and Efron's fraction already gone."""
        index = np.repeat(np.arange(len(self.times)), self.tied)
        order = np.arange(len(index)) - np.repeat(np.cumsum(self.tied) - self.tied, self.tied)
        return index, (order / self.tied[index] if self.efron else np.zeros(len(index)))

    def _at_risk(self, values: np.ndarray) -> np.ndarray:
        """Sum over the risk set at each event time: what has begun by then less what has ended."""
        size = len(self.times) + 1
        shape = (size, *values.shape[1:])
        change = np.zeros(shape)
        np.add.at(change, self.first, values)
        np.subtract.at(change, self.last, values)
        return np.cumsum(change, axis=0)[:-1]

    def _dying(self, values: np.ndarray) -> np.ndarray:
        total = np.zeros((len(self.times), *values.shape[1:]))
        np.add.at(total, self.at, values)
        return total

    def evaluate(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Log-likelihood, score, information, and each row's score residual."""
        eta = self.x @ beta
        shift = eta.max()
        risk = np.exp(eta - shift)
        index, gone = self._draws
        weighted = risk[:, None] * self.x
        sum0 = self._at_risk(risk)[index] - gone * self._dying(risk[self.event])[index]
        sum1 = self._at_risk(weighted)[index] - gone[:, None] * self._dying(weighted[self.event])[index]
        mean = sum1 / sum0[:, None]
        value = float(eta[self.event].sum() - np.sum(np.log(sum0) + shift))
        score = self.x[self.event].sum(axis=0) - mean.sum(axis=0)
        steps = len(self.times)
        hazard, hazard_gone = np.bincount(index, 1 / sum0, steps), np.bincount(index, gone / sum0, steps)
        exposure = risk * self._between(hazard)
        exposure[self.event] -= risk[self.event] * hazard_gone[self.at]
        information = self.x.T @ (exposure[:, None] * self.x) - mean.T @ mean
        residual = self._residuals(risk=risk, exposure=exposure, index=index, gone=gone, sum0=sum0, mean=mean)
        return value, score, information, residual

    def _between(self, per_time: np.ndarray) -> np.ndarray:
        """Each row's sum over the event times at which it is at risk."""
        total = np.concatenate([np.zeros((1, *per_time.shape[1:])), np.cumsum(per_time, axis=0)])
        return total[self.last] - total[self.first]

    def _residuals(
        self,
        *,
        risk: np.ndarray,
        exposure: np.ndarray,
        index: np.ndarray,
        gone: np.ndarray,
        sum0: np.ndarray,
        mean: np.ndarray,
    ) -> np.ndarray:
        """Covariate less expected at the event, minus its compensator (Therneau and Grambsch 2000, section 4.6)."""
        steps = (len(self.times), self.x.shape[1])
        pulled, pulled_gone, average = np.zeros(steps), np.zeros(steps), np.zeros(steps)
        np.add.at(pulled, index, mean / sum0[:, None])
        np.add.at(pulled_gone, index, gone[:, None] * mean / sum0[:, None])
        np.add.at(average, index, mean / self.tied[index][:, None])
        residual = risk[:, None] * self._between(pulled) - exposure[:, None] * self.x
        residual[self.event] += self.x[self.event] - average[self.at] - risk[self.event][:, None] * pulled_gone[self.at]
        return residual
