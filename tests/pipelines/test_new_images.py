import numpy as np
import pyarrow as pa
import pytest
from tests.factories.images import encode_image

from cifar_pipelines.common.images import load_batch
from cifar_pipelines.pipelines.new_images import look_at_files


def means(files):
    """Height and width are those of every image alike."""
    return load_batch(files, 4).float().mean(dim=(2, 3)).numpy()


def batch(names):
    return pa.RecordBatch.from_pylist([{"image_id": name} for name in names], pa.schema([("image_id", pa.string())]))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for number, name in enumerate(("1.png", "2.png", "deep/3.png")):
        (tmp_path / name).write_bytes(encode_image(size=(5 + number, 4)))
    (tmp_path / "torn.png").write_bytes(encode_image(size=(90, 90))[:200])
    (tmp_path / "empty.png").write_bytes(b"")
    return tmp_path


def test_outputs_are_those_of_the_files_by_name(folder):
    bad = {}
    found = pa.Table.from_batches(
        look_at_files([batch(["deep/3.png", "1.png"]), batch([]), batch(["2.png"])], folder, means, bad.update)
    )
    assert found.column("image_id").to_pylist() == ["deep/3.png", "1.png", "2.png"] and not bad
    for name, output in zip(*(column.to_pylist() for column in found.columns), strict=True):
        np.testing.assert_array_equal(np.float32(output), means([(folder / name).read_bytes()])[0])


def test_bad_images_are_named_with_the_reason_and_cost_no_other_image(folder):
    bad = {}
    names = ["torn.png", "1.png", "gone.png", "empty.png", "2.png"]
    (found,) = look_at_files([batch(names)], folder, means, bad.update)
    assert found.column("image_id").to_pylist() == ["1.png", "2.png"]
    assert set(bad) == {"torn.png", "gone.png", "empty.png"}
    assert bad["empty.png"] == "empty file" and bad["gone.png"] == "No such file or directory"
    assert not list(look_at_files([batch(["torn.png"])], folder, means, bad.update))


def test_what_is_wrong_with_the_network_is_not_blamed_on_images(folder):
    def broken(files):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(look_at_files([batch(["1.png"])], folder, broken, {}.update))
