"""A contest from its folder to the CSV: validation images are judged on, and images without labels are predicted in order."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.factories.runtime import ingest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import image_table_fingerprint
from cifar_pipelines.datasets.trained_network import SavedNetwork
from cifar_pipelines.judging.metrics import evaluate
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.pipelines import prediction
from cifar_pipelines.pipelines.further_predictions import further_splits, further_tables, no_further
from cifar_pipelines.pipelines.ingestion import nodes
from cifar_pipelines.pipelines.ingestion.validation import ValidationSpec
from cifar_pipelines.pipelines.spark_ml import nodes as spark_ml
from cifar_pipelines.pipelines.training import curve_split
from cifar_pipelines.sources import open_source
from cifar_pipelines.training.prediction_views import PredictionViews
from cifar_pipelines.training.trained_network import TrainedNetwork

WANTED = [f"{number}.png" for number in range(12)]  # by value: 10.png comes after 9.png
CUT = ValidationSpec(0.25)


def picture(seed, bright):
    pixels = np.random.default_rng(seed).integers(0, 60, (6, 5, 3)) + 180 * bright
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def contest(tmp_path_factory, run_context):
    """Dark and bright pictures: 12 of each for training, 12 without labels, of which the even ones are bright."""
    root = tmp_path_factory.mktemp("contest")
    files = {f"train/{kind}/{n}.png": picture(100 * kind + n, kind) for kind in (0, 1) for n in range(12)}
    files |= {f"test/{name}": picture(1000 + n, 1 - n % 2) for n, name in enumerate(WANTED)}
    files["test/3.png"] = files["train/0/5.png"]
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    source = open_source("image_folder", str(root))
    manifest = nodes.select_images(nodes.index_source(source), nodes.SubsetSpec(18, 0, 0), CUT)
    file = root / "manifest.csv"  # as from one node to the next
    manifest.to_csv(file, index=False)
    images, info = ingest(
        source, manifest, nodes.IngestionSpec("fail"), run_context, tmp_path_factory.mktemp("table"), CUT
    )
    return SimpleNamespace(images=images.cache(), info=info, manifest=manifest)


@pytest.fixture(scope="module")
def features(contest, spark):
    """The mean brightness of every image."""
    rows = [
        (row["image_id"], row["label"], row["split"], [float(np.asarray(Image.open(io.BytesIO(row["image"]))).mean())])
        for row in contest.images.collect()
    ]
    ddl = "image_id string, label int, split string, features array<float>"
    return spark.session.createDataFrame(rows, ddl)


def test_the_table_holds_all_splits_and_its_description_their_sizes(contest):
    info = contest.info
    sizes = [info[f"{split}_size"] for split in ("train", "validation", "test", "predict")]
    assert sizes == [18, 6, 0, 12] and info["validation"]["share"] == 0.25
    copied = contest.manifest.set_index("image_id").loc["train/0/5.png", "split"]
    assert copied == "train" and info["copies_across_splits"] == {"predict in train": 1}
    rows = contest.images.where("split = 'predict'").orderBy("rank").collect()
    assert [row["image_id"] for row in rows] == [f"test/{name}" for name in WANTED]
    assert {row["label"] for row in rows} == {None}
    assert info["fingerprint"] == image_table_fingerprint(contest.images)
    assert info["classes_without_test_images"] == []


def test_what_lacks_a_prediction_is_refused(contest):
    assert further_splits(contest.info) == ["predict"] and all(one.empty for one in no_further())
    with pytest.raises(
        UserError, match=r"Predicted were 0 images that were not learned from, but there are 12 of them"
    ):
        further_tables(no_further()[0], contest.images, contest.info)


def test_another_cut_of_the_same_images_has_another_fingerprint(contest):
    from pyspark.sql import functions as F  # noqa: N812

    moved = F.when(F.col("split") == "validation", "train").otherwise(F.col("split"))
    assert image_table_fingerprint(contest.images.withColumn("split", moved)) != contest.info["fingerprint"]


def test_spark_ml_is_judged_on_validation_images_and_predicts_those_without_labels(contest, features, run_context):
    known = {"images_fingerprint": contest.info["fingerprint"], "extractor": "kmeans_patches", "options": {}}
    options = {"kmeans_patches": {}}
    known["options"] = spark_ml.options_of("kmeans_patches", options)
    train, judged, _ = spark_ml.cache_tables(features, known, contest.info, options, run_context)
    classifier = spark_ml.configure_classifier("decision_tree", {"justification": "x", "params": {}}, 1)
    model, _ = spark_ml.train(train, classifier, {"dimension": 1}, contest.info, 0, run_context)
    saved = SimpleNamespace(model=model, path="nowhere", size_bytes=0)
    predictions, _ = spark_ml.predict(saved, judged, classifier)
    assert evaluate(predictions, contest.info["class_names"])["accuracy"]["value"] == 1 and len(predictions) == 6
    further = spark_ml.select_further(features, contest.info)
    table, listed = spark_ml.predict_further(saved, further, contest.images, contest.info)
    assert listed["image"].tolist() == WANTED
    assert listed["label"].tolist() == ["1", "0"] * 6 and (listed["probability"] > 0.5).all()
    assert set(table["split"]) == {"predict"} and table["label"].isna().all() and len(table) == 12


def test_a_network_predicts_validation_images_beside_test_images_and_those_without_labels(
    contest, run_context, tmp_path
):
    from cifar_pipelines.datasets import TrainedNetworkDataset

    shape = NetworkShape(16, 2)
    weights = build_network("lenet", shape, {}).state_dict()
    network = TrainedNetwork("lenet", {}, shape, weights, ("0", "1"), {"precision": "fp32"})
    dataset = TrainedNetworkDataset(filepath=str(tmp_path / "network.pt"))
    dataset.save(network)
    saved: SavedNetwork = dataset.load()
    cnn = SimpleNamespace(model="lenet_bigdl", prediction_views=PredictionViews())
    judged, _ = prediction.predict_judged(saved, contest.images, contest.info, cnn, run_context)
    table, listed = prediction.predict_further(saved, contest.images, contest.info, cnn, run_context)
    assert len(judged) == 6 and listed["image"].tolist() == WANTED and len(table) == 12
    with_test = contest.info | {"test_size": 1}  # then validation images are further ones
    table, _ = prediction.predict_further(saved, contest.images, with_test, cnn, run_context)
    assert table["split"].value_counts().to_dict() == {"predict": 12, "validation": 6}
    assert table.loc[table["split"] == "validation", "label"].notna().all()
    assert curve_split(contest.info) == "validation" and curve_split({"test_size": 3}) == "test"
