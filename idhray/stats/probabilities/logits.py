"""What every judgment of probabilities needs: numbers from 0 to 1, and their logits.

Letters: N patients.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from idhray.stats.sample import Labels, SampleError, Scores, scores_of

CLIP = 1e-6
"""A probability of exactly 0 or 1 has no logit; it is taken as this far from it, or as the
most extreme of the other probabilities where that one is nearer."""


def probabilities_of(p: ArrayLike, labels: Labels) -> Scores:
    """Probabilities as (N,) float64.

    Raises:
        SampleError: their number is not that of the labels, or one is NaN or outside 0..1.
    """
    rows = scores_of(p, labels)
    if len(rows) > 1:
        raise SampleError(f"{len(rows)} rows of probabilities; average the repeats by patient")
    if bad := int(((rows[0] < 0) | (rows[0] > 1)).sum()):
        raise SampleError(
            f"{bad} of {len(labels)} probabilities lie outside 0 to 1 (lowest {rows[0].min():g}, "
            f"highest {rows[0].max():g}); scores and logits must be turned into probabilities first"
        )
    return np.asarray(rows[0])


def logits_of(p: Scores) -> tuple[Scores, list[str]]:
    """Finite logits, (N,), and a note where a probability was exactly 0 or 1."""
    logits = np.asarray(logit(p))
    certain = np.isinf(logits)
    if not certain.any():
        return logits, []
    farthest = float(np.max(np.abs(logits[~certain]), initial=-logit(CLIP)))
    note = (
        f"{int(certain.sum())} probabilities of exactly 0 or 1 were taken as "
        f"{expit(-farthest):.3g} from it for logits and log loss."
    )
    return logits.clip(-farthest, farthest), [note]
