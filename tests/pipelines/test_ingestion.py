import io
import logging

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from tests.factories.runtime import ingest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import image_table_fingerprint
from cifar_pipelines.pipelines.ingestion import create_pipeline, nodes
from cifar_pipelines.pipelines.ingestion.nodes import IngestionSpec, SubsetSpec
from cifar_pipelines.sources import open_source
from cifar_pipelines.sources.synthetic import SyntheticSource

BAD = {"cut.png": "OSError", "empty.png": "empty file", "text.png": "UnidentifiedImageError"}


def encode(seed, size=(6, 5)):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of six training and two test images; three training images of class b are damaged."""
    root = tmp_path_factory.mktemp("images")
    for split, count in (("train", 6), ("test", 2)):
        for label, name in enumerate("ab"):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                (root / split / name / f"{number}.png").write_bytes(encode(10 * label + number))
    damaged = {"cut.png": encode(0)[:60], "empty.png": b"", "text.png": b"no image"}
    for number, (name, content) in enumerate(damaged.items()):
        (root / "train" / "b" / f"{number}.png").unlink()
        (root / "train" / "b" / name).write_bytes(content)
    source = open_source("image_folder", str(root))
    return source, nodes.select_images(nodes.index_source(source), SubsetSpec(12, 4, 0))


def rows_of(images):
    return {row["image_id"]: row for row in images.collect()}


def test_the_index_lists_both_splits_with_class_names():
    source = SyntheticSource(train_images=20, test_images=10)
    index = nodes.index_source(source)
    assert list(index.columns) == ["split", "image_id", "label", "class_name"]
    assert index["split"].tolist() == ["train"] * 20 + ["test"] * 10
    assert (index["class_name"] == [source.class_names[label] for label in index["label"]]).all()
    assert index["image_id"].is_unique


def test_a_larger_subset_contains_a_smaller_one():
    index = nodes.index_source(SyntheticSource(train_images=300, test_images=60))
    small, large = (nodes.select_images(index, SubsetSpec(train, 30, 7)) for train in (50, 200))
    ids = {split: small[small["split"] == split]["image_id"].tolist() for split in ("train", "test")}
    assert [len(ids["train"]), len(ids["test"])] == [50, 30]
    assert large[large["split"] == "train"]["image_id"].tolist()[:50] == ids["train"]
    assert large[large["split"] == "test"]["image_id"].tolist() == ids["test"]
    pd.testing.assert_frame_equal(small, nodes.select_images(index, SubsetSpec(50, 30, 7)))
    assert nodes.select_images(index, SubsetSpec(50, 30, 8))["image_id"].tolist() != small["image_id"].tolist()


def test_too_many_images_are_refused_by_the_name_of_the_split():
    index = nodes.index_source(SyntheticSource(train_images=20, test_images=10))
    with pytest.raises(UserError, match=r"21 training images are more than the 20 there are"):
        nodes.select_images(index, SubsetSpec(21, 10, 0))
    with pytest.raises(UserError, match=r"11 test images are more than the 10 there are"):
        nodes.select_images(index, SubsetSpec(20, 11, 0))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 1, 0), "train_size is 0, but must be a whole number of at least 1"),
        ((1, "5", 0), "test_size is '5', but must be a whole number of at least 0"),
        (("some", 1, 0), "train_size is 'some', but must be a whole number of at least 1"),
        ((1, 1, -1), "seed is -1, but must be a whole number of at least 0"),
        ((1, 1, 2**62 + 1), r"seed is 4611686018427387905, but must be at most 4611686018427387904 \(2\^62\)"),
        ((1, 1, True), "seed is True, but must be"),
        ((1.0, 1, 0), r"train_size is 1\.0, but must be"),
    ],
)
def test_a_wrong_subset_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        SubsetSpec(*values)


def test_a_wrong_way_with_damaged_images_is_refused():
    with pytest.raises(UserError, match=r"on_bad_image is 'ignore', but must be 'fail' or 'skip'"):
        IngestionSpec("ignore")


def test_classes_are_counted_in_the_order_of_labels_and_splits(ingested):
    counts = nodes.count_classes(ingested.manifest)
    assert list(counts.columns) == ["split", "label", "class_name", "count"]
    assert counts["split"].tolist() == ["train"] * 10 + ["test"] * 10
    assert counts["label"].tolist() == [*range(10)] * 2
    assert counts["count"].tolist() == [12] * 10 + [3] * 10


def test_the_plots_are_figures(ingested):
    figures = [
        nodes.plot_source_classes(nodes.count_classes(ingested.manifest), ingested.source),
        nodes.plot_subset_classes(nodes.count_classes(ingested.manifest), ingested.source),
        nodes.plot_samples(ingested.source, ingested.manifest),
    ]
    assert all(figure.axes for figure in figures)
    assert len(figures[2].axes[0].images) == 100
    plt.close("all")


def test_a_sample_sheet_leaves_damaged_images_out(folder):
    source, manifest = folder
    figure = nodes.plot_samples(source, manifest)
    assert len(figure.axes[0].images) == 12 - len(BAD)
    plt.close(figure)


def test_the_image_table_holds_the_selected_images_unchanged(ingested):
    assert ingested.images.columns == ["image_id", "label", "split", "rank", "image", "height", "width"]
    rows = rows_of(ingested.images)
    manifest = ingested.manifest.set_index("image_id")
    assert set(rows) == set(manifest.index) and ingested.images.count() == 150
    for image_id, encoded in ingested.source.read(list(manifest.index)[::15]):
        row, expected = rows[image_id], manifest.loc[image_id]
        assert bytes(row["image"]) == encoded
        assert (row["label"], row["split"], row["rank"]) == tuple(expected[["label", "split", "rank"]])
        assert (row["height"], row["width"]) == (32, 32)


def test_the_description_identifies_the_images(ingested):
    info = ingested.info
    assert (info["source"], info["setting"]) == ("synthetic", "exec_2x1")
    assert (info["train_size"], info["test_size"], info["bad_images_skipped"]) == (120, 30, 0)
    assert info["class_names"] == list(ingested.source.class_names)
    assert info["train_available"] == len(ingested.source.index("train"))
    assert info["source_fingerprint"] == ingested.source.fingerprint()
    assert info["fingerprint"] == image_table_fingerprint(ingested.images)
    assert info["fingerprint"].endswith("-150") and info["seconds"] > 0
    assert (info["test_images_in_training"], info["classes_without_test_images"]) == (0, [])
    sizes = [len(image) for _, image in ingested.source.read(ingested.manifest["image_id"])]
    assert (info["image_bytes"], info["largest_image_bytes"]) == (sum(sizes), max(sizes))


def test_the_fingerprint_is_that_of_the_content_and_not_of_its_order(ingested):
    from pyspark.sql import functions as F  # noqa: N812

    images, fingerprint = ingested.images, ingested.info["fingerprint"]
    assert image_table_fingerprint(images.repartition(3).sortWithinPartitions("image_id")) == fingerprint
    one = F.col("image_id") == ingested.manifest["image_id"].iloc[0]
    assert image_table_fingerprint(images.where(~one)) != fingerprint
    relabelled = images.withColumn("label", F.when(one, 99).otherwise(F.col("label")))
    assert image_table_fingerprint(relabelled) != fingerprint
    assert image_table_fingerprint(images.where("false")) == "0000000000000000-0"


def test_damaged_images_end_the_run_and_are_named(folder, run_context, tmp_path):
    with pytest.raises(UserError, match=r"^3 of 16 images cannot be decoded: ") as caught:
        ingest(*folder, IngestionSpec("fail"), run_context, tmp_path)
    for name, fault in BAD.items():
        assert f"train/b/{name} ({fault}" in str(caught.value)
    assert "on_bad_image=skip" in str(caught.value)
    assert not list(tmp_path.glob("images*"))  # nothing half-written


def test_damaged_images_are_left_out_and_counted_when_asked_to(folder, run_context, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        images, info = ingest(*folder, IngestionSpec("skip"), run_context, tmp_path)
    assert (info["train_size"], info["test_size"], info["bad_images_skipped"]) == (9, 4, 3)
    assert [bad.split(" ")[0] for bad in info["bad_images"]] == [f"train/b/{name}" for name in sorted(BAD)]
    assert not set(rows_of(images)) & {f"train/b/{name}" for name in BAD}
    assert info["fingerprint"] == image_table_fingerprint(images) and info["fingerprint"].endswith("-13")
    assert {(row["height"], row["width"]) for row in images.collect()} == {(6, 5)}
    assert "3 images cannot be decoded, hence left out" in caplog.text


def write_folder(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    source = open_source("image_folder", str(root))
    index = nodes.index_source(source)
    sizes = index["split"].value_counts()
    return source, nodes.select_images(index, SubsetSpec(int(sizes["train"]), int(sizes["test"]), 0))


def test_a_long_list_of_damaged_images_is_cut_short(tmp_path, run_context):
    files = {f"{split}/{name}/{number}.png": b"" for split in ("train", "test") for name in "ab" for number in range(2)}
    with pytest.raises(
        UserError, match=r"8 of 8 images cannot be decoded: (\S+ \(empty file\); ){4}\S+ \(empty file\) and 3 more"
    ):
        ingest(*write_folder(tmp_path / "source", files), IngestionSpec("fail"), run_context, tmp_path)


def test_a_single_class_is_refused_by_its_name_before_spark_starts(tmp_path):
    with pytest.raises(UserError, match=r"All training images \(2\) are of the class 'a', .* two classes"):
        write_folder(tmp_path, {f"{split}/a/{number}.png": encode(0) for split in ("train", "test") for number in "12"})


def test_a_class_emptied_by_skipping_is_refused_by_its_name(tmp_path, run_context):
    files = {f"{split}/{name}/1.png": encode(0) for split in ("train", "test") for name in "ab"}
    files["train/b/1.png"] = b"broken"
    with pytest.raises(UserError, match=r"No training image of the class 'b' is left.*train/b/1\.png"):
        ingest(*write_folder(tmp_path / "source", files), IngestionSpec("skip"), run_context, tmp_path)


def test_test_images_that_are_training_images_too_are_counted_and_said(tmp_path, run_context, caplog):
    files = {f"train/{name}/{number}.png": encode(10 * number + ord(name)) for name in "ab" for number in range(4)}
    files |= {
        f"test/a/{number}.png": files[f"train/a/{number}.png"] for number in range(3)
    }  # copies, one of them twice
    files |= {"test/a/again.png": files["train/a/0.png"], "test/a/new.png": encode(1), "test/a/twin.png": encode(1)}
    buffer = io.BytesIO()
    Image.open(io.BytesIO(files["train/b/2.png"])).save(buffer, "BMP")  # the same picture in another file
    files["test/a/other.bmp"] = buffer.getvalue()
    with caplog.at_level(logging.WARNING):
        _, info = ingest(*write_folder(tmp_path / "source", files), IngestionSpec("fail"), run_context, tmp_path)
    assert info["test_images_in_training"] == 5
    assert "5 of 7 test images are training images too" in caplog.text
    assert "such as test/a/0.png, which is train/a/0.png" in caplog.text
    assert info["classes_without_test_images"] == ["b"] and "1 of 2 classes have no test image (b)" in caplog.text


def test_an_image_without_a_label_that_a_test_image_shows_too_is_said(tmp_path, run_context, caplog):
    files = {
        f"{split}/{name}/1.png": encode(ord(name) + 10 * len(split))
        for split in ("train", "validation")
        for name in "ab"
    }
    files |= {
        "test/1.png": files["validation/a/1.png"],
        "test/2.png": encode(1),
    }  # directly in the folder: without labels
    with caplog.at_level(logging.WARNING):
        ingest(*write_folder(tmp_path / "source", files), IngestionSpec("fail"), run_context, tmp_path)
    assert "1 of 2 predict images are test images too, pixel by pixel" in caplog.text


def test_images_that_are_turned_or_laid_on_white_are_counted_and_said_once(tmp_path, run_context, caplog):
    files = {f"{split}/{name}/1.png": encode(ord(name)) for split in ("train", "test") for name in "ab"}
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 4), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    for number, exif in enumerate((None, turned)):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
        files[f"train/a/clear{number}.png"] = buffer.getvalue()
    with caplog.at_level(logging.INFO):
        images, info = ingest(*write_folder(tmp_path / "source", files), IngestionSpec("fail"), run_context, tmp_path)
    assert info["images_treated"] == {"laid on white": 2, "turned upright": 1}
    assert info["fingerprint"] == f"{image_table_fingerprint(images)}+laid-on-white+turned-upright"
    assert info["fingerprint"] == image_table_fingerprint(images, treated=info["images_treated"])
    assert caplog.text.count("2 laid on white and 1 turned upright") == 1
    rows = rows_of(images)
    assert [(rows[f"train/a/clear{number}.png"]["height"]) for number in range(2)] == [4, 6]


def test_the_pipeline_needs_a_source_and_makes_what_others_read():
    pipeline = create_pipeline()
    assert pipeline.inputs() == {
        *("image_source", "image_parts", "params:subset", "params:validation", "params:ingestion", "run_context")
    }
    assert {"images", "images_info", "image_manifest", "image_index"} <= pipeline.all_outputs()
