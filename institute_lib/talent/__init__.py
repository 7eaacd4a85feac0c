"""Talent: who passes, who rises, what services achieve, what is bought, and how far it is to Suzhou.

Everything is put to the articles' own three questions: do they stay, are the certified in post, and with what result.
"""

from institute_lib.retention.intervals import wilson
from institute_lib.talent.examinations import Funnel, Growth, funnel, growth, pass_rate
from institute_lib.talent.intervals import poisson_ratio
from institute_lib.talent.ladder import Ladder, ladder
from institute_lib.talent.purchase import FLOORS, Purchase, purchase
from institute_lib.talent.questions import QUESTIONS, Questions, questions
from institute_lib.talent.services import Outcomes, outcomes, shrink
from institute_lib.talent.yardstick import Yardstick, register_indicators, yardstick

__all__ = [
    "FLOORS",
    "QUESTIONS",
    "Funnel",
    "Growth",
    "Ladder",
    "Outcomes",
    "Purchase",
    "Questions",
    "Yardstick",
    "funnel",
    "growth",
    "ladder",
    "outcomes",
    "pass_rate",
    "poisson_ratio",
    "purchase",
    "questions",
    "register_indicators",
    "shrink",
    "wilson",
    "yardstick",
]
