"""Mutated tables: files of every format, damaged as by copying, editing and exporting."""

import gzip
import io

import numpy as np
import openpyxl
import pandas as pd

HEADER = ["patient", "idh", "age", "sex", "grade", "split", "slide", "mpp"]
CELLS = (
    *(
        "",
        "NA",
        "1",
        "0",
        "-1",
        "1e999",
        "nan",
        "89+",
        "R132H",
        "p.Arg132=",
        "mutant/wildtype",
        "ö",
    ),
    *("\x00", "\x1a", '"', "'", ";", ",", "#", "\n", "\r", "\t", "\ufeff", "\u200b", "=1+1", "1,5"),
    *("{", "[", "IDH1 " * 40, "9" * 400, "(" * 200, "P1 P2", "../P1.svs", "s3://b/#?%", "\ud7ff"),
)


def valid_table(random):
    """A frame of 3 to 8 patients with columns in any order."""
    count = int(random.integers(3, 9))
    frame = pd.DataFrame(
        {
            "patient": [f"P{i}" for i in range(count)],
            "idh": random.choice(["mutant", "wildtype", "", "IDH1 p.R132H", "WT"], count),
            "age": random.choice(["43", "43.5", "", "89+", "NA"], count),
            "sex": random.choice(["M", "female", ""], count),
            "grade": random.choice(["2", "III", "4.0", ""], count),
            "split": random.choice(["train", "val", "test", ""], count),
            "slide": [f"{i}.svs" for i in range(count)],
            "mpp": random.choice(["0.25", "", "0,5"], count),
        }
    )
    return frame[list(random.permutation(frame.columns))]


def with_changed_cells(frame, random):
    """The frame with up to three cells or headers replaced."""
    frame = frame.copy()
    for _ in range(int(random.integers(0, 4))):
        cell = CELLS[int(random.integers(len(CELLS)))]
        if random.random() < 0.2:
            names = list(frame.columns)
            names[int(random.integers(len(names)))] = cell
            frame.columns = names
        else:
            frame.iloc[int(random.integers(len(frame))), int(random.integers(frame.shape[1]))] = (
                cell
            )
    return frame


def encoded(frame, random):
    """The frame as a file of one of the formats."""
    kind = int(random.integers(0, 9))
    if kind == 0:
        frame = frame.loc[:, ~frame.columns.duplicated()]
        data = io.BytesIO()
        frame.to_parquet(data)
        return data.getvalue()
    if kind == 1:
        return workbook(frame)
    if kind == 2:
        frame = frame.loc[:, ~frame.columns.duplicated()]
        return frame.to_json(orient="records", lines=bool(random.integers(2))).encode()
    separator = [",", ";", "\t", "|"][int(random.integers(4))]
    end = ["\n", "\r\n", "\r"][int(random.integers(3))]
    if random.random() < 0.5:
        text = frame.to_csv(index=False, sep=separator, lineterminator=end)
    else:  # without quotes, as hand-written programs do
        rows = [map(str, frame.columns), *(map(str, row) for row in frame.to_numpy())]
        text = end.join(separator.join(row) for row in rows) + end
    encoding = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-32"]
    data = text.encode(encoding[int(random.integers(len(encoding)))], errors="replace")
    return gzip.compress(data) if random.random() < 0.1 else data


def workbook(frame):
    """The frame as .xlsx; control characters, which the format does not allow, are left out."""
    book = openpyxl.Workbook()
    for row in [list(frame.columns), *frame.to_numpy().tolist()]:
        book.active.append(["".join(c for c in str(x) if c >= " ") for x in row])
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def damaged(data, random):
    """The file with bytes changed, inserted, removed, repeated or cut off; in a third, intact."""
    data = bytearray(data)
    for _ in range(int(random.integers(0, 4)) if random.random() < 2 / 3 else 0):
        place = int(random.integers(len(data) + 1))
        size = int(random.integers(1, 40))
        match int(random.integers(5)):
            case 0:
                data[place : place + 1] = random.bytes(1)
            case 1:
                data[place:place] = random.bytes(size)
            case 2:
                del data[place : place + size]
            case 3:
                data[place:place] = data[place : place + size]
            case 4:
                del data[place:]
    return bytes(data)


def mutated_table(seed):
    """Bytes of the mutated table of a seed."""
    random = np.random.default_rng(seed)
    return damaged(encoded(with_changed_cells(valid_table(random), random), random), random)
