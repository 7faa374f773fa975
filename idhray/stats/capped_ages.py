"""Ages that are only known to be a number of years or more."""

import pandas as pd

CAPPED = "age_censored"
"""Column that marks capped ages; empty for exact ones."""


def capped_age_notes(patients: pd.DataFrame) -> list[str]:
    """One sentence on the patients with a capped age; none if there are none.

    Args:
        patients: One row or more per patient, with `age_censored` if a manifest gave it.
    """
    if CAPPED not in patients:
        return []
    people = patients.drop_duplicates("patient") if "patient" in patients else patients
    count = int(people[CAPPED].fillna("").astype(bool).sum())
    if not count:
        return []
    return [
        f"{count} ages are capped for privacy (89+ counts as 89, >89 and 90+ as 90); every figure "
        "takes the cap as the age."
    ]
