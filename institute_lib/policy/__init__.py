"""What a policy did: designs this institute meets, each with the inference that it can carry.

Beforehand: `specify` takes outcome, unit and start from the ledger. Many units, different starts: `staggered`, with
`imputation` beside it as a check and `two_way` to show what the simple number mixes. One unit: `pilot`, judged by
placebos, `detectable_effect` for what it could have found, `evaluate` and `robustness` for all outcomes and choices.
Doubt: `sensitivity` to trends that were not parallel; `adjust` for several outcomes of one policy.
"""

from institute_lib.policy.adoption import imputation, staggered
from institute_lib.policy.evaluation import Evaluation, evaluate, robustness
from institute_lib.policy.fixed_effects import two_way
from institute_lib.policy.honest import sensitivity
from institute_lib.policy.ledger import Specification, has_begun, specify
from institute_lib.policy.multiple import adjust
from institute_lib.policy.pilots import detectable_effect, pilot
from institute_lib.policy.results import DetectableEffect, PilotEffect, PolicyEffect

__all__ = [
    "DetectableEffect",
    "Evaluation",
    "PilotEffect",
    "PolicyEffect",
    "Specification",
    "adjust",
    "detectable_effect",
    "evaluate",
    "has_begun",
    "imputation",
    "pilot",
    "robustness",
    "sensitivity",
    "specify",
    "staggered",
    "two_way",
]
