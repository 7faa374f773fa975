"""Version of each stage's results.

A number is raised when a change of the code changes the results of the stage. Results of an earlier
number are kept: a newer program is no reason to do work again. `idhray status` and the report name
them.
"""

VERSIONS: dict[str, int] = {
    "tile_slides": 3,
    "prepare_mri": 2,
    "import_images": 2,
    "cut_patches": 2,
    "encode": 1,
    "train_gan": 1,
    "evaluate_gan": 1,
    "synthesize": 1,
    "import_synthetic": 1,
    "train_classifier": 1,
    "predict": 1,
    "tune": 1,
    "sweep": 1,
    "fit_stats": 1,
    "export_images": 1,
    "make_phantom": 1,
    "make_readings": 1,
}


def stage_version(stage: str) -> int:
    """Version of a stage's results; 1 for a stage that never changed them."""
    return VERSIONS.get(stage, 1)
