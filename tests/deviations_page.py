"""Write `docs/deviations.md` from the presets: `python -m tests.deviations_page`."""

from pathlib import Path

from idhray.stages.studies.deviations import deviations_page

PAGE = Path(__file__).parents[1] / "docs" / "deviations.md"

if __name__ == "__main__":
    PAGE.write_text(deviations_page())
