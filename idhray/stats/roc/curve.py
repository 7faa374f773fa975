"""Points of a ROC curve; several repeats make one mean curve."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from idhray.stats.sample import Labels, Scored, Scores


def roc_points(sample: Scored) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates of the curve, from (0, 0) to (1, 1).

    With several repeats their curves are averaged vertically: the area under the drawn curve is
    then the mean area. Two points share a false positive rate where the curve rises steeply.
    """
    labels = sample.labels
    wildtype = int((1 - labels).sum())
    false_positives = np.arange(wildtype + 1)
    ends = [_ends_of_steps(labels, row, false_positives) for row in sample.scores]
    return np.repeat(false_positives / wildtype, 2), np.mean(ends, axis=0)


def _ends_of_steps(
    labels: Labels, row: Scores, false_positives: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Lowest and highest true positive rate at each number of false positives, alternating."""
    fpr, tpr, _ = roc_curve(labels, row, drop_intermediate=False)
    at = np.rint(fpr * false_positives[-1])
    first = np.append(True, np.diff(at) > 0)
    last = np.append(np.diff(at) > 0, True)
    low = np.interp(false_positives, at[first], tpr[first])
    high = np.interp(false_positives, at[last], tpr[last])
    # Between two steps (tied scores) the curve slopes from the top of one to the foot of the next.
    inside = ~np.isin(false_positives, at)
    middle = np.interp(false_positives, at, tpr)
    low[inside] = high[inside] = middle[inside]
    return np.ravel(np.column_stack([low, high]))
