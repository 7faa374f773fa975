"""A small report."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from idhray.report.content import (
    GeneratorSummary,
    KeyFigure,
    Picture,
    ReportContent,
    ReportTable,
    SplitCount,
    flow_of,
)
from idhray.report.figures import patch_sheet


def made_up_content(**changes: Any) -> ReportContent:
    """Content of a report; fields given by name replace the made-up ones."""
    image = np.full((8, 8, 3), 200, dtype=np.uint8)
    sheet = patch_sheet({"mutant": ([image], [image])})
    table = ReportTable(
        title="Table 2",
        header=["Set", "Synthetic images", "AUC"],
        rows=[
            ["Validation", "0", "0.823 (0.678\u20130.967)"],
            ["Test", "0", "0.920 (0.824\u20131.000)"],
            ["Test", "3,000", "0.927 (0.835\u20131.000)"],
        ],
        caption="More and more images.",
        notes=["† fitted on these very patients"],
        grouped=True,
    )
    fields: dict[str, Any] = {
        "title": "A study",
        "question": "Do synthetic images help?",
        "answer": "this cohort cannot tell",
        "verdict": "The area went from 0.920 to 0.927.",
        "demonstration": False,
        "key_figures": [KeyFigure(label="Difference", value="+0.007", detail="95% CI")],
        "cohort": [SplitCount(split="test", mutant=18, wildtype=16, unknown=3)],
        "flows": [flow_of("tile-slides", [{"input": "a.svs", "status": "done", "error": None}])],
        "tables": [table],
        "conventions": ["Threshold 0.5."],
        "figures": [Picture(title="Figure 1.", data=sheet, alt="Four patches")],
        "generators": [
            GeneratorSummary(
                name="GAN-mutant",
                training_patients=100,
                training_images=12000,
                kimg=4000,
                figures={"FID": "31.2"},
            )
        ],
        "generators_note": "Training patients only.",
        "sheets": [],
        "settings": {"fit-stats": {"threshold": "0.5"}},
        "provenance": {"commit": "5c1faba"},
        "limits": ["One cohort."],
    }
    return ReportContent(**{**fields, **changes})


@pytest.fixture
def content() -> Callable[..., ReportContent]:
    """A maker of report contents."""
    return made_up_content
