"""Search for files through links."""

import os

import pytest

from idhray.file_tree import files_below


def made(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def relative(tree, root):
    return [os.path.relpath(path, root) for path in tree.files]


def test_linked_folders_and_files_are_listed_and_a_loop_ends(tmp_path):
    """Archives are assembled of links; half of a cohort was silently left out."""
    root = tmp_path / "slides"
    made(root, "3.svs")
    made(tmp_path, "archive/deep/1.svs", "archive/deep/2.svs", "elsewhere/4.svs")
    (root / "lgg").symlink_to("../archive")
    (root / "4.svs").symlink_to(tmp_path / "elsewhere" / "4.svs")
    (tmp_path / "archive" / "deep" / "loop").symlink_to("..")
    (root / "self").symlink_to(root)
    tree = files_below(str(root))

    assert relative(tree, root) == ["3.svs", "4.svs", "lgg/deep/1.svs", "lgg/deep/2.svs"]
    assert tree.notes() == []


def test_a_file_that_is_also_linked_is_listed_once_under_its_own_path(tmp_path):
    """A folder of links to the best slides does not make two slides of one."""
    made(tmp_path, "z/1.svs", "z/2.svs")
    (tmp_path / "a").symlink_to("z")
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "x.svs").symlink_to("../z/1.svs")
    tree = files_below(str(tmp_path))

    assert relative(tree, tmp_path) == ["z/1.svs", "z/2.svs"]
    assert tree.repeated_links == 1


def test_two_links_to_one_file_elsewhere_are_one_file(tmp_path):
    """The first path in the order of names is listed."""
    made(tmp_path, "store/1.svs")
    (tmp_path / "root").mkdir()
    for name in ("b.svs", "a.svs"):
        (tmp_path / "root" / name).symlink_to("../store/1.svs")

    assert relative(files_below(str(tmp_path / "root")), tmp_path / "root") == ["a.svs"]


def test_a_link_that_leads_nowhere_is_listed_and_noted(tmp_path):
    """DataLad leaves such links until the file is fetched; the patient must not vanish."""
    (tmp_path / "1.svs").symlink_to(".git/annex/objects/1.svs")
    (tmp_path / "turning").symlink_to("turning")
    tree = files_below(str(tmp_path))

    assert relative(tree, tmp_path) == ["1.svs", "turning"]
    assert "2 links lead to no file (with DataLad" in tree.notes()[0]


def test_hidden_and_unwanted_folders_are_not_searched(tmp_path):
    """.git holds copies of all files; ._ files are the Mac's resource forks."""
    made(tmp_path, ".git/1.svs", "derivatives/2.svs", "._3.svs", "sub/3.svs")
    tree = files_below(str(tmp_path), lambda name: name == "derivatives")

    assert relative(tree, tmp_path) == ["sub/3.svs"]


@pytest.mark.parametrize("name", ["gone", "file"])
def test_a_folder_that_cannot_be_read_is_noted(tmp_path, name):
    """It may hold half of the cohort."""
    made(tmp_path, "file")

    assert "1 folders cannot be read" in files_below(str(tmp_path / name)).notes()[0]
