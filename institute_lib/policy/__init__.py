"""What a policy did: designs this institute meets, each with the inference that it can carry.

Beforehand: `specify` takes outcome, unit and start from the ledger, `compare` says with whom. Many units, different
starts: `staggered`, with `imputation` beside it as a check and `two_way` to show what the simple number mixes; all
three in `cross_check`. A dose, a triple difference, an interrupted series: `regression`. One unit: `pilot`, judged by
placebos, `detectable_effect` for what it could have found; `evaluate` and `robustness` take all outcomes and all
choices. Doubt: `sensitivity` to trends that were not parallel; `adjust` for several outcomes of one
policy. At the end: `where_next`.
"""

from institute_lib.policy.adoption import imputation, staggered
from institute_lib.policy.assessment import Assessment, assess, rounded
from institute_lib.policy.cross_check import CrossCheck, cross_check
from institute_lib.policy.evaluation import Evaluation, adjust, evaluate, robustness, windows_of
from institute_lib.policy.honest import sensitivity
from institute_lib.policy.ledger import Comparison, Specification, by_city, compare, has_begun, specify, trends
from institute_lib.policy.next_pilot import NextPilot, where_next
from institute_lib.policy.pilots import detectable_effect, pilot
from institute_lib.policy.regression import Regression, regression
from institute_lib.policy.results import DetectableEffect, PilotEffect, PolicyEffect, PreTrend, Verdict
from institute_lib.policy.two_way import two_way

__all__ = [
    "Assessment",
    "Comparison",
    "CrossCheck",
    "DetectableEffect",
    "Evaluation",
    "NextPilot",
    "PilotEffect",
    "PolicyEffect",
    "PreTrend",
    "Regression",
    "Specification",
    "Verdict",
    "adjust",
    "assess",
    "by_city",
    "compare",
    "cross_check",
    "detectable_effect",
    "evaluate",
    "has_begun",
    "imputation",
    "pilot",
    "regression",
    "robustness",
    "rounded",
    "sensitivity",
    "specify",
    "staggered",
    "trends",
    "two_way",
    "where_next",
    "windows_of",
]
