"""Pictures of the documentation, from the demo: `python -m tests.docs.pictures demo`.

The report of the demo must exist. Chromium takes the screenshot of its first screen.
"""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openslide
from PIL import Image

from idhray.images import resize
from idhray.report.figures import patch_sheet
from idhray.stages.studies.sample_images import images_of_table

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
WIDTH_PX = 900
DRAWN = ("report", "response")


def save(name, image):
    """Write a picture of at most `WIDTH_PX` across."""
    image = image.convert("RGB")
    if image.width > WIDTH_PX:
        image = image.resize((WIDTH_PX, round(image.height * WIDTH_PX / image.width)))
    if name not in DRAWN:  # a palette of few colors would merge those of lines
        image = image.quantize(128)
    image.save(FOLDER / f"{name}.png", optimize=True)


def of_class(folder, side_px, count):
    """Images of both classes of a table."""
    return {
        idh: [resize(image, side_px) for image in images_of_table(str(folder), count, {"idh": idh})]
        for idh in ("mutant", "wildtype")
    }


def row(images):
    """Images side by side with a gap."""
    side = images[0].shape[0]
    sheet = np.full((side, len(images) * (side + 6) - 6, 3), 255, np.uint8)
    for number, image in enumerate(images):
        sheet[:, number * (side + 6) : number * (side + 6) + side] = image
    return Image.fromarray(sheet)


def chromium_screenshot(page, file, width, height):
    """Screenshot of the first screen of a page."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = [f"--window-size={width},{height}", f"--screenshot={file}"]
    subprocess.run([program, *flags, *size, page.resolve().as_uri()], check=True)


def main(demo):
    """Write all pictures from the folder of the demo."""
    FOLDER.mkdir(exist_ok=True)
    study = demo / "study"
    slide = openslide.OpenSlide(str(min((demo / "phantom" / "slides").iterdir())))
    save("slide", slide.get_thumbnail((700, 700)))
    tiles = of_class(study / "tiles", 220, 2)
    save("tiles", row([*tiles["mutant"], *tiles["wildtype"]]))
    patches = of_class(study / "patches", 128, 3)
    save("patches", row([*patches["mutant"], *patches["wildtype"]]))
    fold = study / "generators" / "fold-1"
    sheet = patch_sheet(
        {
            idh: (
                of_class(study / "patches", 32, 8)[idh],
                [resize(i, 32) for i in images_of_table(str(fold / f"synthetic-{idh}"), 8, {})],
            )
            for idh in ("mutant", "wildtype")
        }
    )
    save("synthetic", Image.open(io.BytesIO(sheet)))
    shot = FOLDER / "report.png"
    chromium_screenshot(study / "report.html", shot, 1100, 1150)
    save("report", Image.open(shot))
    response = study / "report" / "response-to-the-number-of-added-images.png"
    save("response", Image.open(response))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
