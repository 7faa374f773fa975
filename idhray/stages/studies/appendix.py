"""Appendix of a report: the quality picture of every slide or MRI study, loaded as one scrolls.

OUT/appendix.html  the page; OUT/appendix/  its pictures. The report itself needs neither.
"""

import io
from urllib.parse import quote

from PIL import Image

from idhray.report.html import appendix_html
from idhray.stages.studies.record import APPENDIX, APPENDIX_PAGE
from idhray.storage import delete_folder, join, list_files, publish, read_bytes, remove

GROUPS = {
    "tiles": (
        "Slides",
        "Thumbnail of each slide with the outline of its tissue, tinted regions that were removed, "
        "and the chosen tiles with their ranks.",
    ),
    "slices": (
        "MRI studies",
        "Outlines of the brain mask, and the registered pair of scans as a checkerboard.",
    ),
    "slices-normal": ("Normal brains", "The same of the scans of normal brains."),
}
"""Folder of a table -> title and caption of its pictures."""


def write_appendix(study: str) -> int:
    """Write the appendix of a study anew; the number of its pictures. Without any it is removed.

    Args:
        study: Folder of the study.
    """
    delete_folder(join(study, APPENDIX))
    remove(join(study, APPENDIX_PAGE))
    groups = []
    for table, (title, caption) in GROUPS.items():
        paths = [
            path
            for path in list_files(join(study, table, "quality"))
            if path.endswith((".jpg", ".png"))
        ]
        if paths:
            images = [_image(study, table, path) for path in sorted(paths)]
            groups.append({"title": title, "caption": caption, "images": images})
    count = sum(len(group["images"]) for group in groups)
    if count:
        page = appendix_html(
            title="Appendix: pictures of all inputs",
            note=f"{count} pictures, for a look at each input. They are in the folder "
            f"{APPENDIX} beside this page and show patients: handle them as such.",
            groups=groups,
        )
        publish(join(study, APPENDIX_PAGE), page.encode())
    return count


def _image(study: str, table: str, path: str) -> dict[str, str | int]:
    """Copy a picture, and describe it for the page."""
    file = path.rpartition("/")[2]
    data = read_bytes(path)
    publish(join(study, APPENDIX, table, file), data)
    width, height = Image.open(io.BytesIO(data)).size
    name = file.rpartition(".")[0]
    return {
        "name": name,
        "path": f"{APPENDIX}/{table}/{quote(file)}",
        "alt": f"Quality picture of {name}",
        "width": width,
        "height": height,
    }
