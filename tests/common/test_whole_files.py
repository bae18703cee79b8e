import json

import pytest

from cifar_pipelines.common import whole_files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    target = tmp_path / "new" / "file.json"
    whole_files.write_json(target, {"a": 1})
    whole_files.write_json(target, {"a": 2}, indent=2)
    assert json.loads(target.read_text()) == {"a": 2} and target.read_text().endswith("}\n")
    whole_files.write_bytes(target, b"\x00")
    assert target.read_bytes() == b"\x00"
    whole_files.write_text(target, "text")
    assert target.read_text() == "text" and names(target.parent) == ["file.json"]


def test_a_file_that_cannot_be_written_to_its_end_leaves_the_old_one(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError), whole_files.writing(target) as partial:
        partial.write_text("half")
        assert target.read_text() == "old"
        raise RuntimeError
    assert target.read_text() == "old" and names(tmp_path) == ["file"]


def test_a_folder_gets_its_name_when_it_is_complete(tmp_path):
    target = tmp_path / "model"
    with pytest.raises(RuntimeError), whole_files.writing(target) as partial:
        partial.mkdir()
        (partial / "part").touch()
        raise RuntimeError
    assert names(tmp_path) == []
    with whole_files.writing(target) as partial:
        partial.mkdir()
        (partial / "part").touch()
        assert not target.exists()
    assert names(tmp_path) == ["model"] and names(target) == ["part"]


def test_what_is_no_json_is_not_written(tmp_path):
    with pytest.raises(TypeError):
        whole_files.write_json(tmp_path / "file", {"a": object()})
    assert names(tmp_path) == []
