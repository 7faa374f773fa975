"""A few images of a table, for the pictures and figures of a report."""

from idhray.images import RGB, decode
from idhray.table_parts import may_hold, parts, read_part


def images_of_table(folder: str, count: int, only: dict[str, str]) -> list[RGB]:
    """Images of a table, taken in turn from its parts, the middle of each part first."""
    picked: list[list[bytes]] = []
    for path in parts(folder):
        if len(picked) == count:
            break
        if not may_hold(path, only):
            continue
        rows = read_part(path, [*only, "image"])
        frame = rows.select(list(only)).to_pandas() if only else None
        fits = [
            i
            for i in range(len(rows))
            if frame is None or all(frame[name].iloc[i] == value for name, value in only.items())
        ]
        if not fits:
            continue
        order = sorted(fits, key=lambda i: abs(i - len(rows) / 2)) if only else fits
        picked.append([rows["image"][i]["bytes"].as_py() for i in order[:count]])
    turns = [images[i] for i in range(count) for images in picked if i < len(images)]
    return [decode(image) for image in turns[:count]]
