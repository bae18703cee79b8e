import hashlib
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.submission.bundle import MANIFEST, check_bundle, write_bundle

letters = st.text("abcXYZ0-_. ", min_size=1, max_size=8).filter(lambda name: name.strip(". "))
names = st.lists(letters, min_size=1, max_size=3).map("/".join)
files = st.dictionaries(names.map("x/{}".format), st.binary(max_size=200), max_size=5)


def rewrite(source, target, change):
    """Copies a zip; `change` gets the contents by name, in order, and may change them."""
    with zipfile.ZipFile(source) as old:
        content = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(target, "w") as new:
        for name, data in change(content):
            new.writestr(name, data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bundles")


@settings(deadline=None)
@given(files)
def test_every_listed_checksum_matches_and_nothing_else_is_there(folder, sources):
    assert write_bundle(sources, {"run_name": "roll"}, folder / "a.zip", {}) == len(sources)
    manifest = check_bundle(folder / "a.zip")
    with zipfile.ZipFile(folder / "a.zip") as archive:
        assert archive.namelist() == [*sorted(sources), MANIFEST]
        for name, facts in manifest["files"].items():
            content = archive.read(name)
            assert content == sources[name]
            assert facts == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


@settings(deadline=None)
@given(files, st.randoms())
def test_the_same_files_make_the_same_zip_in_whatever_order(folder, sources, random):
    shuffled = list(sources.items())
    random.shuffle(shuffled)
    write_bundle(sources, {}, folder / "a.zip", {})
    write_bundle(dict(shuffled), {}, folder / "b.zip", {})
    assert (folder / "a.zip").read_bytes() == (folder / "b.zip").read_bytes()


@settings(deadline=None)
@given(files.filter(bool), st.data())
def test_a_changed_byte_is_found_or_changes_no_file(folder, sources, data):
    write_bundle(sources, {"run_name": "roll"}, folder / "a.zip", {})
    content = bytearray((folder / "a.zip").read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (folder / "b.zip").write_bytes(content)
    try:
        manifest = check_bundle(folder / "b.zip")
    except UserError:
        return
    assert manifest == check_bundle(folder / "a.zip")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: [(name, data + b"!" * (name == "b")) for name, data in content], "b: its contents"),
        (lambda content: content[1:], "a: missing"),
        (lambda content: [*content, ("c", b"more")], "c: not in MANIFEST.json"),
        (lambda content: content[:-1], "no whole bundle"),
    ],
)
def test_what_is_wrong_with_a_bundle_is_named(tmp_path, change, words):
    write_bundle({"a": b"1", "b": b"2"}, {}, tmp_path / "a.zip", {})
    rewrite(tmp_path / "a.zip", tmp_path / "b.zip", change)
    with pytest.raises(UserError, match=words):
        check_bundle(tmp_path / "b.zip")


def test_half_a_bundle_or_none_is_no_bundle(tmp_path):
    write_bundle({"a": b"1" * 1000}, {}, tmp_path / "a.zip", {})
    (tmp_path / "half.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:100])
    for name in ("half.zip", "none.zip"):
        with pytest.raises(UserError, match=f"{name} is no whole bundle"):
            check_bundle(tmp_path / name)


def test_a_secret_is_refused_without_being_said_and_leaves_the_old_bundle(tmp_path):
    write_bundle({"a": b"1"}, {}, tmp_path / "a.zip", {})
    before = (tmp_path / "a.zip").read_bytes()
    value = "correct-horse"
    with pytest.raises(UserError) as caught:
        write_bundle({"logs/run.log": b"one\n" + value.encode()}, {}, tmp_path / "a.zip", {"MY_TOKEN": value})
    assert "logs/run.log, line 2: the value of the environment variable MY_TOKEN" in caught.value.message
    assert value not in caught.value.message
    assert (tmp_path / "a.zip").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_no_half_written_zip_is_left_where_writing_fails(tmp_path):
    sources = {"a": b"1", "b": tmp_path / "b"}
    (tmp_path / "b").write_text("there while it is looked through")

    class Gone(dict):
        """Loses a file between the search for secrets and the writing."""

        def __getitem__(self, name):
            if name == "b" and list(tmp_path.glob("*.partial")):
                (tmp_path / "b").unlink()
            return super().__getitem__(name)

    with pytest.raises(FileNotFoundError):
        write_bundle(Gone(sources), {}, tmp_path / "a.zip", {})
    assert list(tmp_path.iterdir()) == []
