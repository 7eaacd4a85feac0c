"""The links of a discrete-time hazard: logit, and complementary log-log (proportional hazards in grouped time)."""

from dataclasses import dataclass

import numpy as np

from institute_lib.errors import ParameterError, nearest


@dataclass(frozen=True)
class Logit:
    """h = 1 / (1 + exp(−η)). All functions take one value a cell."""

    name: str = "logit"

    def start(self, share: float) -> float:
        return float(np.log(share / (1 - share)))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(eta)

    def slope(self, eta: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
        """Derivative of the mean by η; a mean that is already known saves time."""
        mean = self.mean(eta) if mean is None else mean
        return mean * (1 - mean)

    def curve(self, eta: np.ndarray) -> np.ndarray:
        mean = self.mean(eta)
        return mean * (1 - mean) * (1 - 2 * mean)

    def evaluate(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """The log-likelihood, its derivative by η, and minus its expected second derivative, from one exponential."""
        decay = np.exp(-np.abs(eta))
        larger = 1 / (1 + decay)
        mean = np.where(eta >= 0, larger, decay * larger)
        value = float(np.sum(events * eta - rows * (np.maximum(eta, 0) + np.log1p(decay))))
        weight = rows * (decay * larger * larger)
        return value, events - rows * mean, weight

    def residual(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Derivative of the log-likelihood by η."""
        return events - rows * self.mean(eta)

    def expected(self, eta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Minus the expected second derivative."""
        return rows * self.slope(eta)

    def observed(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Minus the second derivative; for the logit it does not depend on the events."""
        return self.expected(eta, rows)


@dataclass(frozen=True)
class Cloglog:
    """h = 1 − exp(−exp(η))."""

    name: str = "cloglog"

    def start(self, share: float) -> float:
        return float(np.log(-np.log1p(-share)))

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return -np.expm1(-self._rate(eta))

    def slope(self, eta: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
        rate = self._rate(eta)
        return rate * np.exp(-rate)

    def curve(self, eta: np.ndarray) -> np.ndarray:
        return self.slope(eta) * (1 - self._rate(eta))

    def log_likelihood(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> float:
        rate = self._rate(eta)
        gone = np.where(events > 0, events * np.log(np.maximum(-np.expm1(-rate), 1e-300)), 0.0)
        return float(np.sum(gone - (rows - events) * rate))

    def evaluate(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        value = self.log_likelihood(eta, rows, events)
        return value, self.residual(eta, rows, events), self.expected(eta, rows)

    def residual(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> np.ndarray:
        rate = self._rate(eta)
        return events * self._relative(rate) - (rows - events) * rate

    def expected(self, eta: np.ndarray, rows: np.ndarray) -> np.ndarray:
        rate = self._rate(eta)
        return rows * rate * self._relative(rate)

    def observed(self, eta: np.ndarray, rows: np.ndarray, events: np.ndarray) -> np.ndarray:
        rate = self._rate(eta)
        relative = self._relative(rate)
        return (rows - events) * rate - events * relative * (1 - rate - relative)

    @staticmethod
    def _rate(eta: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(eta, 30.0))

    @staticmethod
    def _relative(rate: np.ndarray) -> np.ndarray:
        """slope / mean, 1 as the rate goes to 0."""
        return np.where(rate > 1e-300, rate / np.expm1(np.minimum(np.maximum(rate, 1e-300), 700.0)), 1.0)


LINKS = {"logit": Logit(), "cloglog": Cloglog()}


def link_named(name: str) -> Logit | Cloglog:
    """The link of that name.

    Raises:
        ParameterError: another name.
    """
    if name not in LINKS:
        raise ParameterError(f"link={name!r}: {nearest(name, LINKS)}")
    return LINKS[name]
