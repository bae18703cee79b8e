import os

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.image_files import ImageFiles


@pytest.fixture
def make(tmp_path):
    """Returns a function that makes empty files below a folder and returns the folder."""

    def make(*files):
        for file in files:
            (tmp_path / "root" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / file).touch()
        return tmp_path / "root"

    return make


def searched(root, folder="a"):
    files = ImageFiles(root)
    return files.below(root / folder), files.notes()


def test_images_of_all_kinds_are_found_whatever_the_case_of_their_endings(make):
    names = [f"a/{number}{ending}" for number, ending in enumerate((".jfif", ".tif", ".TIFF", ".avif", ".Jpg", ".pgm"))]
    assert searched(make(*names)) == (names, [])


def test_other_files_are_counted_by_their_endings(make):
    found, notes = searched(make("a/1.png", "a/1.heic", "a/2.HEIC", "a/notes.txt", "a/noending"))
    assert found == ["a/1.png"]
    assert notes == ["Files that are not read as images: .heic (2), .txt (1), without an ending (1)."]


def test_many_kinds_of_other_files_are_cut_short(make):
    _, [note] = searched(make(*(f"a/1.x{number}" for number in range(11))))
    assert note.count("(1)") == 10 and note.endswith(", and others.")


def test_images_in_deeper_folders_are_found_and_said(make):
    found, notes = searched(make("a/1.png", "a/images/2.png", "a/images/more/3.png"))
    assert found == ["a/1.png", "a/images/2.png", "a/images/more/3.png"]
    assert len(notes) == 1 and "a/images/2.png and 1 more image" in notes[0]


def test_what_is_hidden_or_of_an_archive_of_macos_is_passed_over(make):
    root = make("a/1.png", "a/._1.png", "a/.hidden/1.png", "a/__MACOSX/1.png", "__MACOSX/a/1.png", ".git/x")
    assert searched(root) == (["a/1.png"], [])
    assert ImageFiles(root).folders(root) == [root / "a"]


def test_links_that_lead_out_are_followed_and_said(make, tmp_path):
    root = make("a/1.png", "b/2.png")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "3.png").touch()
    (root / "a" / "inside.png").symlink_to("../b/2.png")
    assert searched(root) == (["a/1.png", "a/inside.png"], [])
    (root / "a" / "out.png").symlink_to(elsewhere / "3.png")
    (root / "c").symlink_to(elsewhere)
    found, [note] = searched(root)
    assert found == ["a/1.png", "a/inside.png", "a/out.png"]
    assert note == f"Links that lead out of {root}, and are followed: a/out.png -> {elsewhere / '3.png'}."
    files = ImageFiles(root)
    assert len(files.folders(root)) == 3 and f"c -> {elsewhere}" in files.notes()[0]


def test_a_link_to_nothing_or_in_a_circle_is_counted(make):
    root = make("a/1.png", "a/b/2.png")
    (root / "a" / "gone.png").symlink_to("nowhere.png")
    (root / "a" / "self.png").symlink_to("self.png")
    (root / "a" / "b" / "up").symlink_to("..")
    found, notes = searched(root)
    assert found == ["a/1.png", "a/b/2.png"]
    assert notes[0] == "Files that are not read as images: links to nothing (2)."


def test_a_name_that_is_not_utf8_is_refused_with_its_folder(make):
    root = make("a/1.png")
    os.close(os.open(os.fsencode(root / "a") + b"/caf\xe9.png", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(
        UserError, match=rf"^The folder {root}/a holds a name that is not UTF-8: b'caf\\xe9\.png'.*rename it"
    ):
        searched(root)


def test_a_folder_that_cannot_be_read_is_named(make):
    with pytest.raises(UserError, match=r"The folder .*/a/1\.png cannot be read: Not a directory"):
        ImageFiles(root := make("a/1.png")).folders(root / "a" / "1.png")


@pytest.mark.parametrize("name", ["a\rb/1.png", "a\nb/1.png", "a/1\n.png", "a/\x1b[2J.png", "a\u2028b/1.png"])
def test_a_name_that_does_not_stand_on_one_line_is_refused(make, name):
    root = make(name)
    with pytest.raises(UserError, match=r"a name with a line break or another control character.*rename it"):
        for folder in ImageFiles(root).folders(root):
            ImageFiles(root).below(folder)


def test_the_files_of_macos_that_end_in_a_line_break_and_narrow_spaces_are_no_obstacle(make):
    found, notes = searched(make("a/Screenshot 3.00\u202fPM.png", "a/Icon\r"))
    assert found == ["a/Screenshot 3.00\u202fPM.png"] and "without an ending (1)" in notes[0]
