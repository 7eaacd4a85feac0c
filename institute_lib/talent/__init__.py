"""Talent: who passes, who rises, what services achieve, what is bought, and how far it is to Suzhou.

Everything is put to the articles' own three questions: do they stay, are the certified in post, and with what result.
"""

from institute_lib.retention.intervals import wilson
from institute_lib.talent.bayes import Prior, posterior, shrink
from institute_lib.talent.community import (
    CostEffectiveness,
    against_norm,
    certified_share,
    cost_effectiveness,
    density,
    employed,
    subsidy_bill,
)
from institute_lib.talent.control import (
    ALARM,
    WARNING,
    ControlChart,
    FunnelPlot,
    control_limits,
    funnel_plot,
    p_chart,
    p_limits,
    runs_on_one_side,
    tail_probability,
)
from institute_lib.talent.courses import Courses, holder_courses, targets, worker_courses
from institute_lib.talent.examinations import Funnel, Growth, changes_in_rate, funnel, growth, growth_limits, pass_rate
from institute_lib.talent.fieller import Ratio, fieller
from institute_lib.talent.indicators import register_indicators
from institute_lib.talent.intervals import poisson_ratio
from institute_lib.talent.ladder import Ladder, Rise, ladder, per_hundred, time_to_supervisor
from institute_lib.talent.overview import INDICATORS, Indicator, Overview, between, overview
from institute_lib.talent.projection import Projection, Target, project, scenario_name
from institute_lib.talent.purchase import Floor, Purchase, floors, purchase
from institute_lib.talent.questions import ANSWERS, QUESTIONS, Questions, question_labels, questions, questions_beside
from institute_lib.talent.reaching import Reaching, reaching
from institute_lib.talent.services import Outcomes, cohorts, control, outcomes, schools, signals
from institute_lib.talent.training import TrainingNeeds, required_hours, subjects_failed, training_needs
from institute_lib.talent.yardstick import Yardstick, milestones, published_figures, yardstick

__all__ = [
    "ALARM",
    "ANSWERS",
    "INDICATORS",
    "QUESTIONS",
    "WARNING",
    "ControlChart",
    "CostEffectiveness",
    "Courses",
    "Floor",
    "Funnel",
    "FunnelPlot",
    "Growth",
    "Indicator",
    "Ladder",
    "Outcomes",
    "Overview",
    "Prior",
    "Projection",
    "Purchase",
    "Questions",
    "Ratio",
    "Reaching",
    "Rise",
    "Target",
    "TrainingNeeds",
    "Yardstick",
    "against_norm",
    "between",
    "certified_share",
    "changes_in_rate",
    "cohorts",
    "control",
    "control_limits",
    "cost_effectiveness",
    "density",
    "employed",
    "fieller",
    "floors",
    "funnel",
    "funnel_plot",
    "growth",
    "growth_limits",
    "holder_courses",
    "ladder",
    "milestones",
    "outcomes",
    "overview",
    "p_chart",
    "p_limits",
    "pass_rate",
    "per_hundred",
    "poisson_ratio",
    "posterior",
    "project",
    "published_figures",
    "purchase",
    "question_labels",
    "questions",
    "questions_beside",
    "reaching",
    "register_indicators",
    "required_hours",
    "runs_on_one_side",
    "scenario_name",
    "schools",
    "shrink",
    "signals",
    "subjects_failed",
    "subsidy_bill",
    "tail_probability",
    "targets",
    "time_to_supervisor",
    "training_needs",
    "wilson",
    "worker_courses",
    "yardstick",
]
