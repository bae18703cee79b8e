import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.factories.images import encode_image

from cifar_pipelines.common import table_files
from cifar_pipelines.common.contents import IMAGE
from cifar_pipelines.common.images import shrink
from cifar_pipelines.common.table_files import in_parts, read_images_at
from cifar_pipelines.common.tables import IMAGES
from cifar_pipelines.pipelines import large_images
from cifar_pipelines.pipelines.ingestion import reading
from cifar_pipelines.pipelines.ingestion.reading import CHECKED, count_readers, read_images

MB = 10**6


def manifest(image_ids):
    rows = [{"image_id": one, "label": 1, "split": "train", "rank": rank} for rank, one in enumerate(image_ids)]
    schema = pa.schema([("image_id", pa.string()), ("label", pa.int32()), ("split", pa.string()), ("rank", pa.int64())])
    return pa.RecordBatch.from_pylist(rows, schema)


class Images:
    content = IMAGE

    def __init__(self, files):
        self.files = files

    def read(self, image_ids):
        yield from ((one, self.files[one]) for one in image_ids)


@pytest.mark.parametrize(
    ("images", "total_bytes", "cores", "tasks"),
    [
        (10_500, 26 * MB, 2, 8),  # small ones: a few tasks per core
        (2000, 7000 * MB, 2, 105),  # photographs: some 67 MB each
        (3, 10 * MB, 2, 3),
        (1, 5000 * MB, 2, 1),
        (4, 0, 1, 4),
    ],
)
def test_tasks_are_cut_by_bytes(images, total_bytes, cores, tasks):
    assert count_readers(images, total_bytes, cores) == tasks


def test_images_are_handed_over_a_few_at_a_time():
    images = [bytes(size) for size in (3, 3, 10, 1, 1, 1)]
    assert [[len(one) for one in part] for part in in_parts(images, 6)] == [[3, 3], [10], [1, 1, 1]]
    assert list(in_parts([])) == []


def test_large_images_make_small_batches_and_row_groups_that_keep_their_rows(monkeypatch, tmp_path):
    files = {f"i{number}": encode_image(size=(5 + number, 4)) for number in range(5)} | {"bad": b"no image"}
    monkeypatch.setattr(reading, "in_parts", lambda images: in_parts(images, 200))
    monkeypatch.setattr(table_files, "BATCH_BYTES", 200)
    target = tmp_path / "part.parquet"
    batches = list(read_images([manifest(files)], Images(files), target))
    assert len(batches) > 1 and all(batch.schema == CHECKED.arrow for batch in batches)
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert [(row["image_id"], row["bytes"]) for row in rows] == [(name, len(file)) for name, file in files.items()]
    assert [bool(row["error"]) for row in rows] == [False] * 5 + [True]
    assert len({row["digest"] for row in rows}) == len({row["hash"] for row in rows}) == 6
    written = parquet.ParquetFile(target)
    assert written.metadata.num_row_groups > 1 and written.schema_arrow == IMAGES.arrow
    assert [(row["image_id"], row["rank"], row["image"]) for row in written.read().to_pylist()] == [
        (name, rank, file) for rank, (name, file) in enumerate(files.items()) if name != "bad"
    ]
    assert written.read(["height", "width"]).to_pylist() == [{"height": 4, "width": 5 + number} for number in range(5)]


def test_small_images_stay_one_batch(tmp_path):
    files = {str(number): encode_image() for number in range(20)}
    (batch,) = read_images([manifest(files)], Images(files), tmp_path / "part.parquet")
    assert batch.num_rows == 20
    assert [path.name for path in tmp_path.iterdir()] == ["part.parquet"]


def test_a_task_that_fails_leaves_no_file(tmp_path):
    files = {"first": encode_image()}
    with pytest.raises(KeyError):
        list(read_images([manifest(["first", "gone"])], Images(files), tmp_path / "part.parquet"))
    assert not list(tmp_path.iterdir())


def test_images_are_read_back_by_the_numbers_of_their_rows(monkeypatch, tmp_path):
    files = {f"i{number}": encode_image(size=(5 + number, 4)) for number in range(7)}
    monkeypatch.setattr(reading, "in_parts", lambda images: in_parts(images, 200))
    monkeypatch.setattr(table_files, "BATCH_BYTES", 200)
    target = tmp_path / "with [brackets] and spaces.parquet"
    list(read_images([manifest(files)], Images(files), target))
    assert parquet.ParquetFile(target).metadata.num_row_groups > 2
    images = list(files.values())
    for rows in ([0], [6], [1, 2, 5], list(range(7)), []):
        assert list(read_images_at(target.as_uri(), rows)) == [images[row] for row in rows]


def test_large_images_come_small_in_batches_of_few_bytes(monkeypatch, tmp_path):
    files = {f"i{number}": encode_image(size=(5 + number, 40)) for number in range(4)}
    target = tmp_path / "part.parquet"
    list(read_images([manifest(files)], Images(files), target))
    monkeypatch.setattr(large_images, "in_parts", lambda images: in_parts(images, 150))
    places = {"file_path": [target.as_uri()] * 2, "row_index": [1, 3]}
    rows = pa.RecordBatch.from_pydict({"image_id": ["i1", "i3"], **places})
    smallest = min(map(len, files.values())) - 1
    batches = list(large_images.shrink_rows([rows], ("image_id", "image"), smallest, 8))
    assert [batch["image_id"].to_pylist() for batch in batches] == [["i1"], ["i3"]]
    assert [batch["image"][0].as_py() for batch in batches] == [shrink(files[name], 8) for name in ("i1", "i3")]
    kept = list(large_images.shrink_rows([rows], ("image_id", "image"), 10**6, 8))
    assert [image for batch in kept for image in batch["image"].to_pylist()] == [files["i1"], files["i3"]]
