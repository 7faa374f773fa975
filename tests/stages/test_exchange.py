"""export_images and import_images on Ray: out and in again."""

import csv
import io
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from idhray.cohorts.manifest import read_manifest, with_split, write_manifest
from idhray.config import Identity
from idhray.errors import (
    ConfigError,
    LeakageError,
    ManifestError,
    SettingsChangedError,
    StorageError,
)
from idhray.exchange.listing import chunks_of, cohort_with_split
from idhray.exchange.rows import kind_of, stream
from idhray.exchange.tfrecord import write_tfrecord
from idhray.generator_records import GeneratorRecord, read_generator, write_generator
from idhray.images import decode, encode
from idhray.ledger import fates
from idhray.stages.export_images import ExportImagesFlags, export_images
from idhray.stages.import_images import (
    READERS,
    ImportImagesFlags,
    ImportTask,
    import_images,
    import_items,
    import_some,
)
from idhray.stages.runtime import mapping
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.table_parts import part_path, publish_table, read_table
from idhray.tables import PATCHES, SLICES, SYNTHETIC, TILES
from tests.exchange.made import part_of, patch, picture
from tests.stages.in_process import in_process as in_process

WHO = [("A/1", "mutant", "train"), ("B 2", "wildtype", "val"), ("C", "", "test")]
IMPORTS = {"folder": "", "tfrecord": "tfrecords", "webdataset": "shards", "stylegan": "zips"}
KEPT = [name for name in PATCHES.names if name != "image"]


def table(folder, rows, schema=PATCHES, parts=2):
    """A sealed table; its rows are dealt to the parts, as those of a big slide are."""
    with stage_folder(str(folder), Identity({"stage": "made", "rows": len(rows)}), overwrite=True):
        for number in range(parts):
            publish_table(part_path(str(folder), str(number)), rows[number::parts], schema)
    return str(folder)


def patches(folder, each=5, labeled=True):
    """Images of three patients with unlike names."""
    who = WHO[:2] if labeled else WHO
    rows = [
        patch(
            10 * place + n, patient=patient, idh=idh, split=split, slide=f"{patient[0]}-DX1", x_l0=n
        )
        for place, (patient, idh, split) in enumerate(who)
        for n in range(each)
    ]
    return table(folder, rows)


def manifest(tmp_path, rows=None):
    path = tmp_path / "manifest.csv"
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["patient", "idh", "split", "slide"])
        writer.writerows(rows or [[p, i, s, f"/archive/{p[0]}-DX1.svs"] for p, i, s in WHO])
    return str(path)


def content(folder):
    """What a PATCHES table holds, whatever the order of its rows: columns and pixels."""
    rows = read_table(folder, PATCHES).to_pylist()
    return sorted(
        (*(str(row[name]) for name in KEPT), decode(row["image"]["bytes"]).tobytes())
        for row in rows
    )


@pytest.mark.parametrize("form", IMPORTS)
def test_what_goes_out_comes_in_again(tmp_path, ray_local, form):
    """Pixels, patients with slashes, labels, splits, places; from a slide in two parts."""
    source = patches(tmp_path / "p", labeled=form == "stylegan")
    out = tmp_path / "out"
    done = export_images(ExportImagesFlags(images=source, out=str(out), format=form, shard_mb=1))
    back = import_images(
        ImportImagesFlags(
            source=str(out / IMPORTS[form]),
            manifest=manifest(tmp_path),
            out=str(tmp_path / "in"),
            format=form,
        )
    )

    assert done["rows"] == back["rows"] == len(content(source))
    assert content(str(tmp_path / "in")) == content(source)


@pytest.mark.parametrize("form", ["folder", "tfrecord", "h5", "webdataset", "stylegan"])
def test_every_export_says_whose_and_of_which_split_each_image_is(tmp_path, ray_local, form):
    """images.csv has a row for every image; a slide of two parts is one file."""
    source = patches(tmp_path / "p")
    out = tmp_path / "out"
    export_images(ExportImagesFlags(images=source, out=str(out), format=form))
    with (out / "images.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))

    assert len(rows) == len({row["file"] for row in rows}) == 10
    assert {(row["patient"], row["idh"], row["split"]) for row in rows} == set(WHO[:2])
    for row in rows:
        assert (out / row["file"].split("#")[0]).is_file()
    if form in ("tfrecord", "h5"):
        assert len({row["file"].split("#")[0] for row in rows}) == 2


def test_slideflow_gets_its_annotations(tmp_path, ray_local):
    """It reads patient and class of a slide from a CSV, not from the records."""
    export_images(
        ExportImagesFlags(
            images=patches(tmp_path / "p"), out=str(tmp_path / "out"), format="tfrecord"
        )
    )
    with (tmp_path / "out" / "annotations.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))

    assert rows == [
        {"slide": "A-DX1", "patient": "A/1", "idh": "mutant", "split": "train"},
        {"slide": "B-DX1", "patient": "B 2", "idh": "wildtype", "split": "val"},
    ]


def test_shards_are_of_the_size_asked_for_and_of_one_split(tmp_path, ray_local):
    """The trainer globs train-*.tar; a test patient in there would be a leak."""
    noise = [encode(picture(n, side=256)) for n in range(24)]  # some 200 kB each
    rows = [
        patch(n, split=("train", "val")[n % 2], image={"bytes": image, "path": "x.png"})
        for n, image in enumerate(noise)
    ]
    out = tmp_path / "out"
    export_images(
        ExportImagesFlags(
            images=table(tmp_path / "p", rows), out=str(out), format="webdataset", shard_mb=1
        )
    )
    shards = sorted((out / "shards").iterdir())

    assert [shard.name[:-10] for shard in shards] == ["train-"] * 3 + ["val-"] * 3
    assert [round(shard.stat().st_size / 2e5) for shard in shards] == [5, 5, 2] * 2
    found = []
    for shard in shards[:3]:
        with tarfile.open(shard) as tar:
            found += [name for name in tar.getnames() if name.endswith("png")]
    assert len(found) == len(set(found)) == 12


@pytest.mark.parametrize("form", ["folder", "tfrecord", "webdataset", "stylegan", "h5"])
def test_an_export_that_was_broken_off_ends_like_an_unbroken_one(
    tmp_path, ray_local, monkeypatch, form
):
    """Killed after some items: the same files, byte for byte, and no other."""
    source = patches(tmp_path / "p", each=40)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    export_images(ExportImagesFlags(images=source, out=str(whole), format=form, shard_mb=1))
    run = mapping._run

    def some(out, groups, *args):
        run(out, groups[: (len(groups) + 1) // 2], *args)
        raise KeyboardInterrupt

    monkeypatch.setattr(mapping, "_run", some)
    with pytest.raises(KeyboardInterrupt):
        export_images(ExportImagesFlags(images=source, out=str(broken), format=form, shard_mb=1))
    monkeypatch.setattr(mapping, "_run", run)
    export_images(ExportImagesFlags(images=source, out=str(broken), format=form, shard_mb=1))

    def files(out):
        return {
            str(path.relative_to(out)): path.read_bytes()
            for path in out.rglob("*")
            if path.is_file() and "_ledger" not in path.parts and path.name[0] not in "._"
        }

    assert files(broken) == files(whole)
    with pytest.raises(SettingsChangedError):
        export_images(
            ExportImagesFlags(
                images=source, out=str(broken), format="h5" if form != "h5" else "folder"
            )
        )


def test_images_without_a_label_stay_out_of_a_labeled_zip_and_are_told(tmp_path, ray_local):
    """StyleGAN's labels are for all images or for none."""
    rows = [patch(n, x_l0=n, idh=None if n == 2 else "mutant") for n in range(5)]
    out = str(tmp_path / "out")
    done = export_images(
        ExportImagesFlags(images=table(tmp_path / "p", rows), out=out, format="stylegan")
    )

    assert done["rows"] == 4
    assert "1 of 5 images have no label" in fates(out)["train"].error


def test_a_slide_that_cannot_be_exported_is_a_ledger_row(tmp_path, ray_local):
    """One image is broken, the other slide goes out."""
    rows = [patch(n, x_l0=n, slide=slide) for n in range(4) for slide in ("one", "two")]
    rows[0]["image"] = {"bytes": b"GIF89a, but not really", "path": "x.gif"}
    out = str(tmp_path / "out")

    with pytest.raises(StorageError, match="1 of 2 inputs failed"):
        export_images(
            ExportImagesFlags(images=table(tmp_path / "p", rows), out=out, format="tfrecord")
        )
    assert "cannot be decoded" in fates(out)["one"].error
    assert fates(out)["two"].rows == 4


def test_tiles_slices_and_synthetic_images_go_out_too(tmp_path, ray_local):
    """With the record of the patients that the generator saw; and h5 for what has a place only."""
    tile = {**patch(0), "rank": 1, "tissue_fraction": 0.9, "mpp_source": "file"}
    image = {"bytes": encode(picture(1)), "path": "mutant-0.png"}
    part = {"patient": "A/1", "idh": "mutant", "split": "train", "study": "S1", "z_mm": 3.0}
    made = {"generator": "g", "seed": 1, "index": 0, "psi": 1.0, "idh": "mutant", "trained_on": "t"}
    tables = {
        "tiles": table(tmp_path / "t", [tile], TILES, parts=1),
        "slices": table(tmp_path / "s", [{**part, "image": image}], SLICES, parts=1),
        "synthetic": table(tmp_path / "g", [{**made, "image": image}], SYNTHETIC, parts=1),
    }
    write_generator(tables["synthetic"], GeneratorRecord.of("g", "mutant", ["A/1"]))
    for kind, folder in tables.items():
        for form in ("folder", "tfrecord", "webdataset", "stylegan"):
            out = tmp_path / f"{kind}-{form}"

            assert (
                export_images(ExportImagesFlags(images=folder, out=str(out), format=form))["rows"]
                == 1
            )
            if kind == "synthetic":
                assert read_generator(str(out)).patients == ("A/1",)
    assert (tmp_path / "synthetic-folder" / "images" / "synthetic" / "mutant").is_dir()
    assert (
        export_images(
            ExportImagesFlags(images=tables["tiles"], out=str(tmp_path / "h5"), format="h5")
        )["rows"]
        == 1
    )
    with pytest.raises(ConfigError, match="slices have no place"):
        export_images(
            ExportImagesFlags(images=tables["slices"], out=str(tmp_path / "h6"), format="h5")
        )


def foreign(tmp_path, **images):
    """A folder of files: name without ending -> pixels, or bytes as they are."""
    for name, image in images.items():
        path = tmp_path / "foreign" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image if isinstance(image, bytes) else encode(image))
    return str(tmp_path / "foreign")


def test_broken_images_are_ledger_rows_and_come_in_once_when_they_are_mended(tmp_path, ray_local):
    """Of 16 bits, truncated, of another size: each named, the others are there already."""
    good = {f"A-DX1_{n}": picture(n) for n in range(3)}
    buffer = io.BytesIO()
    Image.fromarray(picture(9, gray=True).astype(np.uint16) * 257).save(buffer, "PNG")
    bad = {
        "B-DX1_1": buffer.getvalue(),
        "B-DX1_2": encode(picture(7))[:300],
        "B-DX1_3": np.zeros((8, 8, 3), np.uint8),
    }
    source, out, listed = foreign(tmp_path, **good, **bad), str(tmp_path / "in"), manifest(tmp_path)

    with pytest.raises(StorageError, match="3 of 4 inputs failed"):
        import_images(ImportImagesFlags(source=source, manifest=listed, out=out, format="folder"))
    found = fates(out)
    assert "must be 8-bit" in found["B-DX1_1.png"].error
    assert "no whole image" in found["B-DX1_2.png"].error
    assert "8 x 8 px, not 16 x 16" in found["B-DX1_3.png"].error
    assert (
        import_images(
            ImportImagesFlags(
                source=source, manifest=listed, out=out, format="folder", max_failures=3
            )
        )["rows"]
        == 3
    )
    foreign(tmp_path, **{"B-DX1_2": picture(7)})
    done = import_images(
        ImportImagesFlags(source=source, manifest=listed, out=out, format="folder", max_failures=2)
    )
    assert (done["rows"], done["failed"]) == (4, 2)
    rows = read_table(out, PATCHES).to_pylist()
    assert sorted(row["patient"] for row in rows) == ["A/1", "A/1", "A/1", "B 2"]


def test_a_chunk_that_is_done_anew_does_not_take_a_mended_image_twice(tmp_path, ray_local):
    """Killed between the row of a broken image and that of its chunk; the image was mended."""
    source, out = foreign(tmp_path, **{"A-DX1_0": picture(0), "A-DX1_1": b"text"}), tmp_path / "in"
    listed = manifest(tmp_path)
    import_images(
        ImportImagesFlags(
            source=source, manifest=listed, out=str(out), format="folder", max_failures=1
        )
    )
    for path in (out / "_ledger").iterdir():
        if path.name == part_path("", "images 0-1").rsplit("/", 1)[-1]:
            path.unlink()
    foreign(tmp_path, **{"A-DX1_1": picture(1)})
    done = import_images(
        ImportImagesFlags(source=source, manifest=listed, out=str(out), format="folder")
    )

    assert done["rows"] == 2
    assert read_table(str(out), PATCHES).num_rows == 2


def test_images_of_nobody_stop_the_import_and_are_listed(tmp_path, ray_local):
    """Guessing a patient would be worse than stopping; a pattern tells where the name stands."""
    source = foreign(tmp_path, **{"tile-A_1": picture(0), "tile-B_1": picture(1)})
    listed = manifest(tmp_path, [["A", "mutant", "train", ""], ["B", "wildtype", "test", ""]])
    out = str(tmp_path / "in")

    with pytest.raises(ManifestError, match=r"2 images match no patient(.|\n)*tile-A_1\.png"):
        import_images(ImportImagesFlags(source=source, manifest=listed, out=out, format="folder"))
    done = import_images(
        ImportImagesFlags(
            source=source,
            manifest=listed,
            out=out,
            format="folder",
            patient_pattern=r"tile-([A-Z])",
        )
    )
    assert (done["rows"], done["patients"]) == (2, 2)
    splits = read_table(out, PATCHES, ["patient", "split"]).to_pylist()
    assert sorted((row["patient"], row["split"]) for row in splits) == [
        ("A", "train"),
        ("B", "test"),
    ]


def test_images_that_would_change_their_split_or_label_are_refused(tmp_path, ray_local):
    """A test patient of the first study must not train the second one unseen."""
    out = tmp_path / "out"
    export_images(
        ExportImagesFlags(images=patches(tmp_path / "p"), out=str(out), format="webdataset")
    )
    moved = manifest(tmp_path, [["A/1", "mutant", "test", ""], ["B 2", "wildtype", "val", ""]])

    with pytest.raises(LeakageError, match="A/1 is in train, the manifest"):
        import_images(
            ImportImagesFlags(
                source=str(out / "shards"),
                manifest=moved,
                out=str(tmp_path / "i"),
                format="webdataset",
            )
        )
    relabeled = manifest(tmp_path, [["A/1", "wildtype", "train", ""], ["B 2", "", "val", ""]])
    with pytest.raises(ManifestError, match="labeled mutant, the manifest has wildtype"):
        import_images(
            ImportImagesFlags(
                source=str(out / "shards"),
                manifest=relabeled,
                out=str(tmp_path / "i"),
                format="webdataset",
            )
        )


def test_a_broken_shard_costs_itself_only(tmp_path, ray_local):
    """Cut off in the middle; the other slide's records are there."""
    out, back = tmp_path / "out", str(tmp_path / "in")
    export_images(
        ExportImagesFlags(images=patches(tmp_path / "p"), out=str(out), format="tfrecord")
    )
    cut = out / "tfrecords" / "A-DX1.tfrecord"
    cut.write_bytes(cut.read_bytes()[:-100])
    done = import_images(
        ImportImagesFlags(
            source=str(out / "tfrecords"),
            manifest=manifest(tmp_path),
            out=back,
            format="tfrecord",
            max_failures=1,
        )
    )

    assert (done["done"], done["failed"], done["rows"]) == (1, 1, 5)
    assert any("cut off" in fate.error for fate in fates(back).values())


def tarred(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def test_hostile_descriptions_are_ledger_rows(tmp_path, ray_local):
    """JSON with a place that is none; a split and a label that are no words of ours are passed."""
    shard, out = tmp_path / "x.tar", str(tmp_path / "in")
    said = {"a": b'{"x_l0": "left"}', "b": b'{"split": "training", "idh": "?", "mpp": 0.5}'}
    members = {f"A-DX1_{key}.json": text for key, text in said.items()}
    tarred(shard, {f"A-DX1_{key}.png": encode(picture(1)) for key in said} | members)
    done = import_images(
        ImportImagesFlags(
            source=str(shard),
            manifest=manifest(tmp_path),
            out=out,
            format="webdataset",
            max_failures=1,
        )
    )

    assert done["rows"] == 1
    assert "its x_l0 is 'left'" in fates(out)["A-DX1_a.png"].error
    assert read_table(out, PATCHES, ["mpp"]).to_pylist() == [{"mpp": 0.5}]


def test_an_import_follows_its_source(tmp_path, ray_local):
    """A further image comes in, and the table is that of a new import."""
    source, out = foreign(tmp_path, **{"A-DX1_0": picture(0)}), str(tmp_path / "in")
    import_images(
        ImportImagesFlags(source=source, manifest=manifest(tmp_path), out=out, format="folder")
    )
    foreign(tmp_path, **{"A-DX1_1": picture(1)})

    whole = str(tmp_path / "whole")
    for folder in (out, whole):
        import_images(
            ImportImagesFlags(
                source=source, manifest=manifest(tmp_path), out=folder, format="folder"
            )
        )
    assert read_table(out, PATCHES).equals(read_table(whole, PATCHES))
    assert seal(out) == seal(whole)
    assert (
        import_images(
            ImportImagesFlags(
                source=source, manifest=manifest(tmp_path), out=out, format="folder", overwrite=True
            )
        )["rows"]
        == 2
    )
    shutil.rmtree(source)
    with pytest.raises(StorageError, match="no such file or folder"):
        import_images(
            ImportImagesFlags(source=source, manifest=manifest(tmp_path), out=out, format="folder")
        )


def rows_without_ray(source, listed, form, out):
    """The rows of an import, item by item; broken images are in the ledger of `out`."""
    chunks = chunks_of(source, READERS[form], cohort_with_split(listed, 0), listed, None)
    tasks = [ImportTask(chunk=c, format=form, image_px=16, out=str(out)) for c in chunks]
    return [row for item in import_items(tasks, {}) for row in import_some(item.task).rows]


def test_names_in_a_tar_do_not_leave_the_folder(tmp_path):
    """Somebody will unpack the table by its paths."""
    members = {f"{name}.png": encode(picture(1)) for name in ("../../A-DX1_e", "/A-DX1/7", "A/..")}
    shard = tarred(tmp_path / "A-DX1.tar", members)
    listed = manifest(tmp_path, [["A", "mutant", "train", "A-DX1.svs"]])
    rows = rows_without_ray(shard, listed, "webdataset", tmp_path / "in")
    paths = [row["image"]["path"] for row in rows]

    assert paths[:2] == ["A-DX1_e.png", "A-7.png"]
    assert not any("/" in path or path.startswith(".") for path in paths)


def test_a_number_of_hundreds_of_digits_costs_one_image(tmp_path):
    """Python reads it, and no float holds it."""
    members = {"A-DX1_0.png": encode(picture(1)), "A-DX1_1.png": encode(picture(2))}
    said = {"A-DX1_0.json": b'{"mpp": 1' + b"0" * 400 + b"}"}
    shard, out = tarred(tmp_path / "x.tar", members | said), tmp_path / "in"

    assert len(rows_without_ray(shard, manifest(tmp_path), "webdataset", out)) == 1
    assert "its mpp is '1000" in fates(str(out))["A-DX1_0.png"].error


def test_a_record_of_another_patient_than_the_first_of_its_file_is_refused(tmp_path):
    """The listing reads the first one only: B's image would become one of A."""
    part = part_of(tmp_path / "t", [patch(0), patch(1), patch(2, patient="B 2", split="val")])
    source, out = str(tmp_path / "A.tfrecord"), tmp_path / "in"
    write_tfrecord(source, stream(part), kind_of(part), "A")
    rows = rows_without_ray(source, manifest(tmp_path), "tfrecord", out)

    assert [row["patient"] for row in rows] == ["A/1"] * 2
    assert "is of patient B 2, in a file of A/1" in fates(str(out))["2"].error


@pytest.mark.parametrize(
    ("below", "with_csv"),
    [("", True), ("images", True), ("images/train", True), ("", False), ("images", False)],
)
def test_exported_train_images_do_not_become_test_images(tmp_path, below, with_csv):
    """From the export's folder or one below it; without its CSV, the folder's name tells."""
    file = tmp_path / "out" / "images" / "train" / "mutant" / "A-DX1_0.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(encode(picture(0)))
    if with_csv:
        line = f"{file.relative_to(tmp_path / 'out')},A/1,train"
        (tmp_path / "out" / "images.csv").write_text(f"file,patient,split\n{line}\n")
    moved = manifest(tmp_path, [["A/1", "mutant", "test", "A-DX1.svs"]])

    with pytest.raises(LeakageError, match="A/1 is in train, the manifest"):
        import_images(
            ImportImagesFlags(
                source=str(tmp_path / "out" / below),
                manifest=moved,
                out=str(tmp_path / "in"),
                format="folder",
            )
        )


def test_an_image_of_one_patient_and_a_slide_of_another_stops_the_import(tmp_path):
    """One of the two is wrong; they may be in two sets."""
    source = foreign(tmp_path, x=picture(0))
    (tmp_path / "foreign" / "images.csv").write_text("file,patient,slide\nx.png,A/1,B-DX1\n")

    with pytest.raises(ManifestError, match="says patient A/1 and slide B-DX1, which is of B 2"):
        import_images(
            ImportImagesFlags(
                source=source,
                manifest=manifest(tmp_path),
                out=str(tmp_path / "in"),
                format="folder",
            )
        )


def test_a_split_is_drawn_as_for_the_tiles_and_warned_of(tmp_path, caplog):
    """Patients without a slide take no place in it, or the same seed would give other sets."""
    who = [[f"P{n}", "mutant", "", f"/s/P{n}.svs" if n % 3 else ""] for n in range(24)]
    listed = manifest(tmp_path, who)
    (tmp_path / "slides").mkdir()
    slides = manifest(tmp_path / "slides", [row for row in who if row[3]])
    drawn = cohort_with_split(listed, 3)
    expected = with_split(read_manifest(slides), 3)
    every = with_split(read_manifest(listed), 3)
    split = dict(zip(drawn["patient"], drawn["split"], strict=True))

    assert split == dict(zip(expected["patient"], expected["split"], strict=True))
    assert split != {
        p: s for p, s in zip(every["patient"], every["split"], strict=True) if p in split
    }
    assert "no split; one is drawn with seed 3" in caplog.text
    caplog.clear()
    write_manifest(str(tmp_path / "_cohort.parquet"), drawn)
    again = cohort_with_split(str(tmp_path / "_cohort.parquet"), 4)
    assert dict(zip(again["patient"], again["split"], strict=True)) == split
    assert caplog.text == ""


def test_without_any_slide_all_patients_take_part_in_the_split(tmp_path):
    """MRI, or photographs."""
    listed = manifest(tmp_path, [[f"P{n}", "mutant", "", ""] for n in range(8)])

    assert (cohort_with_split(listed, 0)["split"] != "").all()


def test_images_of_too_few_patients_for_a_split_have_none(tmp_path, caplog):
    """A few images can be tried; training refuses them."""
    listed = manifest(tmp_path, [["P1", "mutant", "", ""], ["P2", "wildtype", "", ""]])

    assert cohort_with_split(listed, 0)["split"].tolist() == ["", ""]
    assert "too few for a split" in caplog.text


def test_a_tar_that_was_replaced_is_noticed(tmp_path, ray_local):
    """Its names are the same, its pictures are not."""
    listed, out = manifest(tmp_path), str(tmp_path / "in")
    shard = tarred(tmp_path / "x.tar", {"A-DX1_0.png": encode(picture(0))})
    import_images(ImportImagesFlags(source=shard, manifest=listed, out=out, format="webdataset"))
    assert (
        import_images(
            ImportImagesFlags(source=shard, manifest=listed, out=out, format="webdataset")
        )["rows"]
        == 1
    )
    tarred(shard, {"A-DX1_0.png": encode(picture(1))})

    import_images(ImportImagesFlags(source=shard, manifest=listed, out=out, format="webdataset"))
    (cell,) = read_table(out, PATCHES, ["image"])["image"].to_pylist()
    assert cell["bytes"] == encode(picture(1))


def test_a_picture_that_was_replaced_is_noticed_also_when_it_was_mended(tmp_path, ray_local):
    """A broken one may be replaced until it is in."""
    listed, out = manifest(tmp_path), str(tmp_path / "in")
    source = foreign(tmp_path, **{"A-DX1_0": picture(0), "A-DX1_1": b"text"})
    import_images(
        ImportImagesFlags(source=source, manifest=listed, out=out, format="folder", max_failures=1)
    )
    foreign(tmp_path, **{"A-DX1_1": picture(1)})
    assert (
        import_images(ImportImagesFlags(source=source, manifest=listed, out=out, format="folder"))[
            "rows"
        ]
        == 2
    )
    assert (
        import_images(ImportImagesFlags(source=source, manifest=listed, out=out, format="folder"))[
            "rows"
        ]
        == 2
    )
    foreign(tmp_path, **{"A-DX1_1": picture(2), "A-DX1_0": picture(3)})
    import_images(ImportImagesFlags(source=source, manifest=listed, out=out, format="folder"))
    cells = read_table(out, PATCHES, ["image"])["image"].to_pylist()
    assert {cell["bytes"] for cell in cells} == {encode(picture(2)), encode(picture(3))}


def test_masks_are_skipped_and_other_sizes_resized(tmp_path, in_process):
    """An 8-bit mask of nuclei became an H&E patch; the scale of a resized image follows."""
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 3:13] = 255
    images = {"A-DX1_0": picture(0), "A-DX1_1": picture(1, 32), "A-DX1_0_mask": mask}
    source = foreign(tmp_path, **images, **{"A-DX1_2_old": picture(2)})
    with open(f"{source}/images.csv", "w") as handle:
        handle.write("file,mpp\nA-DX1_0.png,0.5\nA-DX1_1.png,0.25\n")
    flags = {"source": source, "manifest": manifest(tmp_path), "format": "folder"}
    out = str(tmp_path / "in")
    for _ in range(2):  # the second run finds all done
        done = import_images(
            ImportImagesFlags(**flags, out=out, exclude=("*_old.png",), resize=True)
        )
    rows = read_table(out, PATCHES, ["mpp", "image"]).to_pylist()

    assert (done["failed"], done["skipped"], done["rows"]) == (0, 1, 2)
    assert fates(out)["A-DX1_0_mask.png"].error.startswith("A-DX1_0_mask.png: is a mask, areas of")
    assert [row["mpp"] for row in rows] == [0.5, 0.5]
    assert decode(rows[1]["image"]["bytes"]).shape == (16, 16, 3)
    everything = ImportImagesFlags(**flags, out=out + "2", masks="import", max_failures=1)
    assert import_images(everything)["rows"] == 3


def test_images_of_other_sizes_are_counted_with_the_flag_that_takes_them(
    tmp_path, in_process, caplog
):
    """The first image decides, perhaps by accident."""
    sizes = {"A-DX1_0": 16, "A-DX1_1": 32, "A-DX1_2": 32}
    source = foreign(tmp_path, **{name: picture(1, side) for name, side in sizes.items()})
    flags = ImportImagesFlags(
        source=source, manifest=manifest(tmp_path), out=str(tmp_path / "in"), format="folder"
    )
    with pytest.raises(StorageError, match=r"is 32 x 32 px, not 16 x 16 px; --resize makes it 16"):
        import_images(flags)

    assert "images of 16 px are imported, 2 of 32 x 32 px are not; --resize" in caplog.text


def test_a_pattern_is_proposed_for_names_that_match_no_patient(tmp_path):
    """Patients stand in the middle of the names."""
    source = foreign(tmp_path, **{"img_a-1_0": picture(0), "img_b_0": picture(1)})
    listed = manifest(tmp_path, [["A-1", "mutant", "train", ""], ["B", "wildtype", "val", ""]])

    with pytest.raises(ManifestError, match=r"finds one in 2 of them \(a-1 for A-1\)"):
        chunks_of(source, READERS["folder"], cohort_with_split(listed, 0), listed, None)
    pattern = r"_([^/_]+)_[^/]*$"
    (chunk,) = chunks_of(source, READERS["folder"], cohort_with_split(listed, 0), listed, pattern)
    assert {image.patient for image in chunk.images} == {"A-1", "B"}
