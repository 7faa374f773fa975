"""Identities of the images of a table: what they are, not where they stand."""

import numpy as np
import pandas as pd

from idhray.config import settings_hash
from idhray.errors import LeakageError
from idhray.experiment.images import CohortImages
from idhray.generator_records import read_generator
from idhray.image_ranks import image_ranks
from idhray.stages.runtime.contents import image_identity, part_contents
from idhray.storage import SETTINGS, exists, join, read_json
from idhray.table_parts import column_names, read_part


def synthetic_identities(folder: str) -> list[str]:
    """Origin of each image of a SYNTHETIC table, as text, in the order of their index.

    Images of `synthesize` depend on weights, seed, psi and index alone, so a table that got more
    images has the same ones first. Images of other programs are known by their part.
    """
    recorded = read_json(join(folder, SETTINGS)) if exists(join(folder, SETTINGS)) else {}
    weights = read_generator(folder).weights
    rows: list[tuple[int, str]] = []
    for path, digest in part_contents(folder).items():
        part = read_part(path, ["generator", "seed", "psi", "index"]).to_pylist()
        for number, row in enumerate(part):
            source = [weights, row["seed"], row["psi"], row["index"]]
            if recorded.get("stage") != "synthesize" or weights is None:
                source = [digest, number]
            rows.append((int(row["index"] or 0), settings_hash(source)))
    return [identity for _, identity in sorted(rows)]


def listed_images(folder: str) -> CohortImages:
    """Patient, label and rank of every image of a table, in its order, without the pixels.

    Raises:
        LeakageError: a patient has two labels.
    """
    tables = []
    for path, digest in part_contents(folder).items():
        names = ["patient", "idh", *({"rank"} & set(column_names(path)))]
        part = read_part(path, names).to_pandas()
        numbered = zip(part.index, part["patient"], part["idh"], strict=True)
        tables.append(part.assign(identity=[image_identity(digest, *row) for row in numbered]))
    rows = pd.concat(tables, ignore_index=True)
    rows["idh"] = rows["idh"].fillna("")
    torn = rows.groupby("patient")["idh"].nunique()
    if (torn > 1).any():
        raise LeakageError(f"{folder}: two labels for patient {torn.index[torn > 1][0]}")
    numbers = rows["rank"] if "rank" in rows else pd.Series([None] * len(rows))
    known_ranks = [None if pd.isna(number) else int(number) for number in numbers]
    return CohortImages(
        patients=rows["patient"].to_numpy(dtype=np.str_),
        labels=rows["idh"].map({"wildtype": 0, "mutant": 1}).fillna(-1).to_numpy(dtype=np.int8),
        ranks=image_ranks(rows["patient"].tolist(), known_ranks),
        identities=rows["identity"].to_numpy(dtype=np.str_),
    )
