import io
import os
import pickle

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from cifar_pipelines.common import precision, worker_cache
from cifar_pipelines.extractors import Extractor
from cifar_pipelines.extractors.kmeans_patches import KMeansPatches
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_array, extract_batches, warm_up


class MeanColour(Extractor):
    """Scaled mean colours; remembers how often it was built and how large its batches were."""

    name, input_size = "mean_colour", 4

    def __init__(self):
        self.built, self.sizes = [], []

    def check(self):
        pass

    def prepare(self, images, seed):
        return {"scale": 2.0}

    def build(self, state, precision):
        self.built.append(precision)

        def features(images):
            self.sizes.append(len(images))
            return images.float().mean(dim=(2, 3)).numpy() * np.float32(state["scale"])

        return features

    def describe(self):
        return {"extractor": self.name, "weights": "none", "input_size": self.input_size}


@pytest.fixture(autouse=True)
def fresh_worker(monkeypatch):
    monkeypatch.setattr(worker_cache, "_built", {})
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def make_job(key="a", micro_batch=2, precision="fp32", extractor=None):
    return ExtractionJob(key, extractor or MeanColour(), lambda: {"scale": 2.0}, precision, micro_batch)


def encode(value, shape=(4, 4)):
    buffer = io.BytesIO()
    Image.fromarray(np.full((*shape, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def make_batch(values, split="train"):
    rows = [{"image_id": f"i{value}", "label": value % 3, "split": split, "image": encode(value)} for value in values]
    schema = pa.schema(
        [("image_id", pa.string()), ("label", pa.int32()), ("split", pa.string()), ("image", pa.binary())]
    )
    return pa.RecordBatch.from_pylist(rows, schema)


def test_batches_keep_ids_labels_splits_and_order():
    batches = [make_batch([5, 1, 4]), make_batch([]), make_batch([9], "test")]
    found = list(extract_batches(iter(batches), make_job(), lambda seconds: None))
    assert [batch.num_rows for batch in found] == [3, 1]
    assert found[0].schema.names == ["image_id", "label", "split", "features"]
    assert found[0].schema.field("features").type == pa.list_(pa.float32())
    rows = [row for batch in found for row in batch.to_pylist()]
    assert [(row["image_id"], row["label"], row["split"]) for row in rows] == [
        ("i5", 2, "train"),
        ("i1", 1, "train"),
        ("i4", 1, "train"),
        ("i9", 0, "test"),
    ]
    assert [row["features"] for row in rows] == [[2.0 * value] * 3 for value in (5, 1, 4, 9)]


def test_no_batches_and_empty_batches_give_nothing_and_build_nothing():
    job = make_job()
    assert list(extract_batches(iter([]), job, lambda seconds: None)) == []
    assert list(extract_batches(iter([make_batch([])]), job, lambda seconds: None)) == []
    assert job.extractor.built == []


def test_cpu_seconds_are_added_once_at_the_end():
    seconds = []
    batches = extract_batches(iter([make_batch([1, 2]), make_batch([3])]), make_job(), seconds.append)
    next(batches)
    assert seconds == []
    assert len(list(batches)) == 1
    assert len(seconds) == 1 and seconds[0] > 0


def test_micro_batches_split_the_work_and_not_the_result():
    encoded = [encode(value) for value in range(5)]
    small, large = make_job("small", 2), make_job("large", 50)
    np.testing.assert_array_equal(extract_array(small, encoded), extract_array(large, encoded))
    assert small.extractor.sizes == [2, 2, 1] and large.extractor.sizes == [5]


def test_images_of_many_sizes_are_resized_to_that_of_the_extractor():
    features = extract_array(make_job(), [encode(10, (3, 7)), encode(20, (9, 2))])
    np.testing.assert_allclose(features, [[20] * 3, [40] * 3])


def test_a_damaged_image_raises():
    with pytest.raises(OSError):
        extract_array(make_job(), [encode(1), encode(2)[:40]])


def test_the_network_is_built_once_per_key():
    loads = []

    def load():
        loads.append(1)
        return {"scale": 2.0}

    extractor = MeanColour()
    for key in ("a", "a", "b", "b"):
        extract_array(ExtractionJob(key, extractor, load, "fp32", 2), [encode(1)])
    assert len(loads) == len(extractor.built) == 2
    assert set(worker_cache._built) == {"b"}  # what an older job built is let go


def test_a_worker_computes_with_the_threads_of_its_job():
    torch.set_num_threads(2)
    extract_array(make_job(), [encode(1)])
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("has_bf16", "settled"), [(True, "bf16"), (False, "fp32")])
def test_the_precision_auto_follows_the_cpu(monkeypatch, has_bf16, settled):
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: has_bf16)
    assert precision.resolve_precision("auto") == settled
    assert [precision.resolve_precision(name) for name in ("bf16", "fp32")] == ["bf16", "fp32"]
    job = make_job(precision="auto")
    job.features()
    assert job.extractor.built == [settled]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx512_bf16 sse\n", True),
        ("flags : fpu amx_bf16\n", True),
        ("Features : fp asimd bf16\n", True),
        ("flags : fpu avx512f\nbugs : bf16\n", False),
        ("", False),
    ],
)
def test_bf16_is_read_from_the_flags_of_the_cpu(monkeypatch, tmp_path, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "cpuinfo")
    assert precision.cpu_has_bf16() is expected


def test_a_platform_without_cpuinfo_has_no_bf16(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "Path", lambda _: tmp_path / "cpuinfo")
    assert precision.cpu_has_bf16() is False


def test_warming_up_builds_the_network_and_runs_one_micro_batch():
    job = make_job(micro_batch=3)
    report = warm_up(job)
    assert job.extractor.sizes == [3] and len(job.extractor.built) == 1
    assert set(report) == {"host", "pid", "precision", "threads", "seconds"}
    assert (report["pid"], report["precision"], report["threads"]) == (os.getpid(), "fp32", 1)
    assert report["seconds"] > 0


def test_extractors_travel_to_the_workers():
    extractor = pickle.loads(pickle.dumps(KMeansPatches(input_size=12, centroids=10, mirror=False)))
    assert (extractor.input_size, extractor.centroids, extractor.mirror) == (12, 10, False)
