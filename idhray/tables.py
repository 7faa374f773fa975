"""Arrow schemas of the tables that pass between stages.

Images are `struct<bytes, path>` with the Hugging Face metadata, so that `datasets`, pandas, Polars
and DuckDB read them directly. `table_parts.py` reads and writes the files of a table.
"""

import json
from collections.abc import Iterable

import pyarrow as pa

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


ADDED = b"idhray_added"
"""Metadata key of a schema: its columns that tables of earlier versions lack."""
FROM_MANIFEST = b"idhray_from_manifest"
"""Metadata key of a schema of images: its columns that come from the manifest. They may change
while the images stay as they are."""
DERIVED = b"idhray_derived"
"""Metadata key of a schema: its columns that follow from the others, and are in no digest."""
PIXELS_DIGEST, PERCEPTUAL_HASH = "pixels_blake3", "perceptual_hash"
FINGERPRINT_COLUMNS = (PIXELS_DIGEST, PERCEPTUAL_HASH)
"""Columns of fingerprints, see `fingerprints.py`; null for an image that is nearly constant."""


def _schema(
    added: tuple[str, ...] = (),
    from_manifest: Iterable[str] = (),
    derived: tuple[str, ...] = (),
    **columns: pa.DataType,
) -> pa.Schema:
    """Schema with the metadata by which Hugging Face `datasets` recognizes the image column.

    Args:
        added: Columns that tables of earlier versions lack; `table_parts` reads them as null.
        from_manifest: Columns that come from the manifest, in a table of images.
        derived: Columns that follow from the images.
        columns: Name and type of each column.
    """
    features = {
        name: {"_type": "Image"} if kind == IMAGE else {"_type": "Value", "dtype": _hf_name(kind)}
        for name, kind in columns.items()
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    if added:
        metadata[ADDED.decode()] = ",".join(added)
    if from_manifest:
        metadata[FROM_MANIFEST.decode()] = ",".join(from_manifest)
    if derived:
        metadata[DERIVED.decode()] = ",".join(derived)
    return pa.schema(list(columns.items()), metadata=metadata)


def _hf_name(kind: pa.DataType) -> str:
    return {"double": "float64", "float": "float32", "bool": "bool"}.get(str(kind), str(kind))


_FINGERPRINTS = dict.fromkeys(FINGERPRINT_COLUMNS, pa.uint64())
_PATIENT = {"patient": pa.string(), "idh": pa.string(), "split": pa.string()}
_POSITION = {
    "slide": pa.string(),
    "x_l0": pa.int64(),
    "y_l0": pa.int64(),
    "size_l0": pa.float64(),  # width in level-0 pixels; not whole when resampled
    "height_l0": pa.float64(),  # the same, unless the slide's pixels are not square
    "mpp": pa.float64(),  # um per pixel of the stored image
}

TILES = _schema(
    from_manifest=_PATIENT,
    **_PATIENT,
    **_POSITION,
    mpp_source=pa.string(),
    tissue_fraction=pa.float64(),  # from the slide's mask
    own_tissue_fraction=pa.float64(),  # from the tile's pixels
    rank=pa.int64(),  # 1 is the best of its slide
    image=IMAGE,
    green_limit=pa.int64(),  # green above it is glass, on the whole slide
    **_FINGERPRINTS,
    added=("green_limit", *FINGERPRINT_COLUMNS),
    derived=FINGERPRINT_COLUMNS,
)
PATCHES = _schema(
    from_manifest=_PATIENT,
    **_PATIENT,  # split: "" if the patches were cut for folds
    **_POSITION,
    rank=pa.int64(),  # from 1 within a patient, see image_ranks.py; null if imported
    image=IMAGE,
    **_FINGERPRINTS,
    added=("rank", *FINGERPRINT_COLUMNS),
    derived=FINGERPRINT_COLUMNS,
)
SLICES = _schema(
    from_manifest=_PATIENT,
    **_PATIENT,
    study=pa.string(),  # one pair of scans
    z_mm=pa.float64(),  # height (RAS) of the slice in the space of the CE-T1w
    brain_fraction=pa.float64(),  # share of the image's pixels
    tumor_fraction=pa.float64(),  # null without a tumor mask
    image=IMAGE,  # CE-T1w, FLAIR, null
    **_FINGERPRINTS,
    added=FINGERPRINT_COLUMNS,
    derived=FINGERPRINT_COLUMNS,
)
SYNTHETIC = _schema(
    generator=pa.string(),
    seed=pa.int64(),
    index=pa.int64(),
    psi=pa.float64(),
    idh=pa.string(),
    trained_on=pa.string(),
    image=IMAGE,
    **_FINGERPRINTS,
    added=FINGERPRINT_COLUMNS,
    derived=FINGERPRINT_COLUMNS,
)
FINGERPRINTS = _schema(  # beside a part of a version without these columns, in its order
    **_FINGERPRINTS,
)


def features_schema(dimensions: int) -> pa.Schema:
    """Schema of a FEATURES table: one row per image of another table, in its order."""
    return _schema(
        from_manifest=_PATIENT,
        **_PATIENT,
        slide=pa.string(),
        x_l0=pa.int64(),
        y_l0=pa.int64(),
        study=pa.string(),
        z_mm=pa.float64(),
        generator=pa.string(),
        index=pa.int64(),  # of a synthetic image
        part=pa.string(),  # digest of the part that holds the image
        row=pa.int64(),  # its row in this part
        encoder=pa.string(),
        features=pa.list_(pa.float16(), dimensions),
    )


FOLDS = _schema(  # one row per labeled patient and fold
    patient=pa.string(),
    idh=pa.string(),
    fold=pa.int64(),  # from 1
    role=pa.string(),  # train, val or test
    by=pa.string(),  # what was kept together when the folds were drawn: patient or site
)
PREDICTIONS = _schema(
    **_PATIENT,
    model=pa.string(),
    n_synthetic=pa.int64(),
    repeat=pa.int64(),
    fold=pa.int64(),
    p_mutant=pa.float64(),
    n_images=pa.int64(),
    arm=pa.string(),  # training set that is compared, such as real or synthetic:600
    generator=pa.string(),  # those of the synthetic images in the training, joined by +
    epoch_chosen=pa.int64(),
    added=("arm", "generator", "epoch_chosen"),
)
TRIALS = _schema(  # one row per training of an experiment
    fold=pa.int64(),
    repeat=pa.int64(),
    arm=pa.string(),
    model=pa.string(),
    generator=pa.string(),
    real_images=pa.int64(),
    added_images=pa.int64(),
    steps=pa.int64(),
    images_shown=pa.int64(),
    added_shown=pa.int64(),  # of these, added ones
    epoch_chosen=pa.int64(),
    val_loss=pa.float64(),
    val_auc=pa.float64(),
    seconds=pa.float64(),
    gpu_seconds=pa.float64(),
    attention_added=pa.float64(),  # attention pooling: mean share of attention on added images
    slots_added=pa.float64(),  # and the share of the images seen that were added
    added=("attention_added", "slots_added"),
)
TUNING = _schema(  # one row per trial of a search
    fold=pa.int64(),
    trial=pa.int64(),  # from 1
    values=pa.string(),  # the settings that the search changed, as JSON
    objective=pa.float64(),  # AUC, and log loss where areas are equal
    auc=pa.float64(),  # mean over the inner folds that were trained
    log_loss=pa.float64(),
    resource=pa.int64(),  # finished quarters of inner folds
    status=pa.string(),  # done, or stopped by the scheduler
    seconds=pa.float64(),
    gpu_seconds=pa.float64(),
)
READINGS = _schema(
    **_PATIENT,  # patient: null for a synthetic image
    reader=pa.string(),
    case=pa.string(),  # one image as shown to readers
    real=pa.bool_(),  # truth: from a patient, not synthetic
    judged_real=pa.bool_(),  # the reader's judgment; null without a Turing test
    location=pa.string(),
    enhancement=pa.string(),
    necrosis=pa.string(),
    surrounding=pa.string(),
    margin=pa.string(),
)
LEDGER = _schema(
    input=pa.string(),
    status=pa.string(),
    rows=pa.int64(),
    parts=pa.int64(),  # files that hold the rows
    seconds=pa.float64(),
    attempts=pa.int64(),
    error=pa.string(),
    host=pa.string(),
    settings_hash=pa.string(),
    digest=pa.string(),  # of the rows, without patient-level columns
    people_hash=pa.string(),  # of the patient-level columns; "" if the rows have none
    stage_version=pa.int64(),  # see stages/runtime/versions.py
    day=pa.string(),  # on which the rows were written, UTC
    input_digest=pa.string(),  # of the input's files, see input_digest.py
    mpp=pa.float64(),  # um per level-0 pixel of a slide
    mpp_source=pa.string(),
    mpp_contradiction=pa.string(),  # stated resolutions that contradict each other
    added=(
        "people_hash",
        "stage_version",
        "day",
        "input_digest",
        "mpp",
        "mpp_source",
        "mpp_contradiction",
        "quickhash",
    ),
    quickhash=pa.string(),  # of a slide, by OpenSlide
)


TRUTH = _schema(  # one row per phantom slide
    patient=pa.string(),
    slide=pa.string(),
    idh=pa.string(),
    density_per_mm2=pa.float64(),
    pleomorphism=pa.float64(),
    necrosis_fraction=pa.float64(),
    proliferating_vessels_per_mm2=pa.float64(),
    stain_mix=pa.float64(),
    hematoxylin=pa.float64(),
    eosin=pa.float64(),
    white=pa.float64(),
    tissue_mm2=pa.float64(),
    tissue_fraction=pa.float64(),
    usable_fraction=pa.float64(),
    drawn_density_per_mm2=pa.float64(),
    drawn_necrosis_fraction=pa.float64(),
    drawn_nests=pa.int64(),
    pens=pa.string(),
    fold=pa.bool_(),
)


MRI_TRUTH = _schema(  # one row per phantom patient with MRI
    patient=pa.string(),
    idh=pa.string(),  # normal without a tumor
    age=pa.int64(),
    sex=pa.string(),
    grade=pa.int64(),
    diagnosis=pa.string(),
    cohort=pa.string(),
    site=pa.string(),
    location=pa.string(),
    enhancement=pa.string(),
    necrosis=pa.string(),
    surrounding=pa.string(),
    margin=pa.string(),
    side=pa.string(),
    core_mm=pa.float64(),
    tumour_ml=pa.float64(),
    brain_ml=pa.float64(),
    motion_mm=pa.float64(),
    motion_degrees=pa.float64(),
    flair_from_t1ce=pa.list_(pa.float64()),
)
