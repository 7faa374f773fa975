"""Probabilities from 0 to 1 of labeled patients, and their finite logits.

Letters: N patients.
"""

import numpy as np
from scipy.special import expit, logit

from idhray.stats.sample import SampleError, Scored, Scores

CLIP = 1e-6
"""A probability of exactly 0 or 1 has no logit. It is moved this far inwards, or to the most
extreme of the other probabilities if that is less far."""


def probabilities_of(sample: Scored) -> Scores:
    """Probabilities of the only training, (N,).

    Raises:
        SampleError: there are several repeats, or a score is outside 0..1.
    """
    p = sample.single_training()
    if bad := int(((p < 0) | (p > 1)).sum()):
        raise SampleError(
            f"{bad} of {len(p)} probabilities lie outside 0 to 1 (lowest {p.min():g}, "
            f"highest {p.max():g}); scores and logits must be turned into probabilities first"
        )
    return p


def logits_of(p: Scores) -> tuple[Scores, list[str]]:
    """Finite logits, (N,), and a note if a probability is exactly 0 or 1."""
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
