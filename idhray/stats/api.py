"""Statistics for other programs: names and arguments here stay as they are.

Functions take arrays or pandas objects. Labels are words (mutant, wildtype) or numbers (1, 0).
Each returns an `Answer`: `.figures` holds numbers for programs, `.summary()` a text, `.frame()` a
table. An input that a function refuses raises a subclass of `idhray.errors.IdhrayError`.

Promise: within a major version no name, argument or column is removed or changes its meaning; new
arguments are keywords with a default that leaves results as they were. A test pins the signatures.
"""

from idhray.stats.interface.agreement import cohen_kappa, fleiss_kappa
from idhray.stats.interface.answer import Answer
from idhray.stats.interface.areas import (
    auc,
    auc_difference,
    bootstrap_auc_difference,
    hanley_mcneil,
    roc_curve,
    youden_threshold,
)
from idhray.stats.interface.arms import arm_trend, compare_arms
from idhray.stats.interface.calls import diagnostic_accuracy, proportion
from idhray.stats.interface.cohort import table_1
from idhray.stats.interface.hypotheses import (
    chi_square,
    fisher_exact,
    mann_whitney,
    mcnemar,
    odds_ratio,
    standardized_difference,
    welch_t,
)
from idhray.stats.interface.models import logistic_regression, stepwise_regression
from idhray.stats.interface.multi_reader import MrmcAnswer, mrmc
from idhray.stats.interface.probability import calibration, decision_curve, reliability

__all__ = [
    "Answer",
    "MrmcAnswer",
    "arm_trend",
    "auc",
    "auc_difference",
    "bootstrap_auc_difference",
    "calibration",
    "chi_square",
    "cohen_kappa",
    "compare_arms",
    "decision_curve",
    "diagnostic_accuracy",
    "fisher_exact",
    "fleiss_kappa",
    "hanley_mcneil",
    "logistic_regression",
    "mann_whitney",
    "mcnemar",
    "mrmc",
    "odds_ratio",
    "proportion",
    "reliability",
    "roc_curve",
    "standardized_difference",
    "stepwise_regression",
    "table_1",
    "welch_t",
    "youden_threshold",
]
