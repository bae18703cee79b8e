import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from matplotlib import pyplot as plt

from cifar_pipelines.common.configuration import load_configuration, set_run_parameters
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.places import place
from cifar_pipelines.datasets.files import ArraysDataset
from cifar_pipelines.judging.predictions import check_predictions
from cifar_pipelines.pipelines.ensemble import create_pipeline as create_ensembles
from cifar_pipelines.pipelines.ensemble.specification import EnsembleSpec
from cifar_pipelines.pipelines.judging import announce
from cifar_pipelines.pipelines.spark_ml import create_pipeline, nodes
from cifar_pipelines.pipelines.spark_ml.nodes import configure_classifier
from cifar_pipelines.prediction import run
from cifar_pipelines.prediction.command import predict
from cifar_pipelines.records import saved_models
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import model_path

BLOCK = {"justification": "Because  it\n is there.", "params": {"max_iter": 2}}
OPTIONS = {"kmeans_patches": {"centroids": 8, "patches": 2000, "mirror": False}}  # as in conftest.py
CHOSEN = ("logistic_regression", "linear_svm")
VOTES = ("hard", "soft")
ENSEMBLE = EnsembleSpec(members=list(CHOSEN), votes=list(VOTES), choose_on="validation", folds=2, rounds=5)
REPEATS = 2


def under(config, folder):
    """The catalog's configuration with all its paths under a folder."""
    if isinstance(config, dict):
        return {key: under(value, folder) for key, value in config.items()}
    return f"{folder}/{config}" if isinstance(config, str) and config.startswith("data/") else config


@pytest.fixture(scope="module")
def few(ingested, extracted):
    """Images of three classes with their features: one-vs-rest fits, saves and loads a model per class."""
    manifest = ingested.manifest[ingested.manifest["label"] < 3]
    sizes = manifest["split"].value_counts()
    info = {"class_names": ingested.info["class_names"][:3], "train_size": sizes["train"], "test_size": sizes["test"]}
    images, features = (table.where("label < 3") for table in (ingested.images, extracted.features))
    return SimpleNamespace(images=images, features=features, manifest=manifest, info=ingested.info | info)


@pytest.fixture(scope="module")
def finished(few, extracted, parameters, run_context, tmp_path_factory):
    """Two classifiers, trained and judged by the whole pipeline on the project's own catalog."""
    folder = tmp_path_factory.mktemp("run")
    config = {
        k: v for k, v in load_configuration()["catalog"].items() if "." in k or "run_record" in k or "survey" in k
    }
    catalog = DataCatalog.from_config(under(config, folder), save_version="2024-01-02T03.04.05.678Z")
    catalog["images"], catalog["images_info"] = few.images, few.info
    catalog["features"], catalog["features_info"] = few.features, extracted.info
    catalog["run_context"], catalog["parameters"] = run_context, parameters
    catalog["params:features.options"] = parameters["features"]["options"]
    catalog["params:subset.seed"] = parameters["subset"]["seed"]
    catalog["params:spark_ml.repeats"] = REPEATS
    for name in CHOSEN:
        catalog[f"params:spark_ml.classifiers.{name}"] = BLOCK
    SequentialRunner().run(create_pipeline(CHOSEN), catalog)
    plt.close("all")
    return SimpleNamespace(catalog=catalog, folder=folder)


@pytest.fixture(scope="module")
def records(finished):
    return {name: finished.catalog.load(f"{name}_run_record") for name in CHOSEN}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_run_record_is_complete(name, records):
    record = records[name]
    assert not RunRecord.from_json(record).is_extraction
    assert len(set(record["job_groups"])) == REPEATS
    assert (record["model"], record["family"]) == (name, "spark_ml")
    assert record["params"] == {"max_iter": 2} and record["justification"] == "Because it is there."
    assert len(record["timings"]["fit_s"]) == len(record["timings"]["predict_s"]) == REPEATS
    assert record["timings"]["read_s"] > 0 and record["timings"]["start_up_s"] > 0
    assert record["features"]["dimension"] == 32 and record["data"]["fingerprint"].endswith("-150")
    assert record["resources"]["jobs"] > 0 and record["resources"]["task_run_s"] > 0
    assert len(record["resources"]["executors"]) == 2
    assert record["metrics"]["n"] == 9
    assert record["parameter_count"] == 3 * (32 + 1)
    assert {"python", "pyspark", "kedro"} <= set(record["versions"])


def test_run_records_can_be_compared_after_a_round_trip_by_json(records):
    table, left_out = records_to_table(json.loads(json.dumps(records)))
    assert sorted(table["model"]) == sorted(CHOSEN) and not left_out


@pytest.mark.parametrize("name", CHOSEN)
def test_the_predictions_table_keeps_its_rules(name, finished, few):
    predictions = finished.catalog.load(f"spark_ml.{name}.predictions")
    assert list(predictions.columns) == ["image_id", "label", "prediction", "probability"]
    checked = check_predictions(predictions, few.info["class_names"])
    assert predictions["image_id"].is_monotonic_increasing
    test = few.manifest[few.manifest["split"] == "test"].set_index("image_id")["label"]
    assert dict(zip(checked.image_id, checked.label, strict=True)) == test.to_dict()
    np.testing.assert_allclose(np.stack(predictions["probability"]).sum(axis=1), 1, atol=1e-9)
    assert (checked.probability.argmax(axis=1) == checked.prediction).all()


def test_the_source_of_probabilities_is_named(records):
    assert records["logistic_regression"]["probability_source"] == "native"
    assert records["linear_svm"]["probability_source"] == "softmax of one-vs-rest margins (not calibrated)"


@pytest.mark.parametrize("name", CHOSEN)
def test_the_model_lies_where_the_run_record_says(name, finished, records):
    saved = finished.catalog.load(f"spark_ml.{name}.spark_model")
    assert saved.size_bytes == records[name]["model_size_bytes"] > 0
    assert saved.path.endswith(records[name]["artifacts"]["model"].lstrip("./"))
    assert saved.path.startswith(f"{finished.folder}/data/06_models/") and name in saved.path


@pytest.mark.parametrize("name", CHOSEN)
def test_what_people_open_is_there(name, finished):
    listed = finished.catalog.load(f"spark_ml.{name}.predictions_csv")
    assert list(listed.columns) == ["image_name", "label", "probability", "truth"] and len(listed) == 9
    pictures = {path.name for path in finished.folder.glob(f"data/08_reporting/**/{name}/**/*.png") if path.is_file()}
    assert pictures == {
        *("confusion_matrix.png", "roc.png", "confidence.png", "right_examples.png", "wrong_examples.png")
    }


@pytest.fixture
def predict_command(spark, finished, records, extracted, monkeypatch):
    """Returns a function that types `kedro predict`, for a project in which that run was."""
    monkeypatch.setattr(saved_models, "place", lambda name: finished.folder / place(name))
    monkeypatch.setattr(run, "SparkRuntime", lambda *_: nullcontext(spark))
    for record in records.values():
        folder = model_path(RunRecord.from_json(record)).parents[3]
        ArraysDataset(filepath=str(folder / "extractor_state.npz")).save(extracted.state)
    return lambda *arguments: CliRunner().invoke(predict, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def voted(finished):
    """Ensembles of both, by the whole pipeline on the same catalog."""
    catalog, data = finished.catalog, finished.folder / "data"
    catalog["run_records"] = {one: lambda one=one: catalog.load(f"{one}_run_record") for one in CHOSEN}
    places = {"models": "06_models", "outputs": "07_model_output", "features": "04_feature"}
    for name, folder in places.items():
        catalog[f"{name}_folder"] = data / folder
    catalog["params:ensemble"] = ENSEMBLE
    pipeline = create_ensembles(VOTES)
    for announced in pipeline.inputs() - {*catalog.keys(), *map(str, catalog)}:
        catalog[announced] = {}
    SequentialRunner().run(pipeline, catalog)
    plt.close("all")
    return catalog


@pytest.mark.parametrize("name", [*(f"spark_ml.{one}" for one in CHOSEN), *(f"ensemble.{one}_vote" for one in VOTES)])
def test_the_test_images_get_exactly_the_same_predictions_again(
    name, finished, voted, ingested, predict_command, tmp_path
):
    predictions = finished.catalog.load(f"{name}.predictions").set_index("image_id")
    name = name.partition(".")[2]
    folder = tmp_path / "new images"
    for image_id, image in ingested.source.read(predictions.index):
        file = folder / f"{image_id}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image)
    (folder / "torn.png").write_bytes(image[:50])

    output = tmp_path / "labels.csv"
    refused = predict_command(name, folder, "--output", output)
    assert refused.exit_code == 1 and "1 of 10 images cannot be decoded: torn.png" in refused.output
    assert not output.exists()
    done = predict_command(name, folder, "--output", output, "--params", "on_bad_image=skip")
    assert done.exit_code == 0, done.output
    assert f"Predictions: {output}" in done.output and "left out: torn.png" in done.output

    found = pd.read_csv(output, float_precision="round_trip")
    assert list(found.columns) == ["image", "label", "probability"] and found["image"].is_monotonic_increasing
    expected = predictions.loc[found["image"].str.removesuffix(".png")]
    assert list(found["label"]) == [ingested.info["class_names"][number] for number in expected["prediction"]]
    assert list(found["probability"]) == [max(row) for row in expected["probability"]]
    described = json.loads(output.with_suffix(".json").read_text())
    assert (described["images"], described["predicted"], list(described["bad_images"])) == (10, 9, ["torn.png"])
    assert described["model"] == name and described["setting"] == "exec_2x1"


def test_tables_hold_the_splits_in_one_partition_per_core(extracted, ingested, run_context):
    train, test, seconds = nodes.cache_tables(extracted.features, extracted.info, ingested.info, OPTIONS, run_context)
    assert (train.count(), test.count()) == (120, 30) and seconds > 0
    assert train.rdd.getNumPartitions() == test.rdd.getNumPartitions() == 2
    assert train.dtypes == [("image_id", "string"), ("label", "double"), ("features", "vector")]
    assert not set(train.toPandas()["image_id"]) & set(test.toPandas()["image_id"])


def test_features_of_other_images_are_refused(extracted, ingested, run_context):
    other = ingested.info | {"fingerprint": "0123456789abcdef-150"}
    message = r"image table now has 0123456789abcdef-150\. Extract them again: kedro run --pipelines features"
    with pytest.raises(UserError, match=message):
        nodes.cache_tables(extracted.features, extracted.info, other, OPTIONS, run_context)


def test_features_made_with_other_options_are_refused(extracted, ingested, run_context):
    made = extracted.info | {"options": {"centroids": 9}}
    with pytest.raises(UserError, match=r"extracted with \{'centroids': 9\}, but .* asks for .*'centroids': 8"):
        nodes.cache_tables(extracted.features, made, ingested.info, OPTIONS, run_context)


def test_a_feature_table_that_was_cut_short_is_refused(extracted, ingested, run_context):
    some = extracted.features.where(f"image_id != '{ingested.manifest['image_id'].iloc[0]}'")
    with pytest.raises(UserError, match=r"holds 119 images of the train split, but there are 120"):
        nodes.cache_tables(some, extracted.info, ingested.info, OPTIONS, run_context)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (None, r"spark_ml\.classifiers\.linear_svm is None, but must hold exactly"),
        ({"params": {}}, r"must hold exactly `justification` and `params`"),
        (BLOCK | {"param": 1}, r"must hold exactly"),
        (BLOCK | {"justification": "  "}, r"linear_svm\.justification is empty, .* needs its reason"),
        (BLOCK | {"justification": None}, r"justification is empty"),
        (BLOCK | {"params": {"iterations": 5}}, r"Unknown option 'iterations'.*of the classifier 'linear_svm'"),
        (BLOCK | {"params": {"max_iter": 0.5}}, r"'max_iter' of the classifier 'linear_svm' is 0\.5"),
    ],
)
def test_a_wrong_block_of_a_classifier_is_refused(block, message):
    with pytest.raises(UserError, match=message):
        configure_classifier("linear_svm", block, 1)


@pytest.mark.parametrize("repeats", [0, "3", 1.0, True, None])
def test_a_wrong_number_of_repeats_is_refused(repeats):
    with pytest.raises(UserError, match=r"spark_ml\.repeats is .*, but must be a whole number from 1 to 1,000"):
        configure_classifier("linear_svm", BLOCK, repeats)


def test_a_classifier_without_hyperparameters_is_accepted():
    for params in (None, {}):
        assert configure_classifier("linear_svm", BLOCK | {"params": params}, 1).params == {}


def test_every_chosen_classifier_gets_its_nodes_and_its_record():
    pipeline = create_pipeline(["linear_svm", "decision_tree"])
    names = {node.name for node in pipeline.nodes}
    steps = {"configure", "train", "predict", "describe", "evaluate", "list_predictions", "draw_scores"}
    steps |= {"draw_galleries", "write_run_record", "predict_further"}
    copies = {f"spark_ml.{model}.{step}" for model in ("linear_svm", "decision_tree") for step in steps}
    shared = {"cache_tables", "select_further", "announce_run_records", "survey_classifiers"}
    assert names == copies | {f"spark_ml.{step}" for step in shared}
    assert {"spark_ml.linear_svm.metrics", "decision_tree_run_record"} <= pipeline.all_outputs()
    assert pipeline.outputs() == {"spark_ml_run_records"}
    assert pipeline.inputs() == {
        *("features", "features_info", "images", "images_info", "run_context", "kept_classifier_survey"),
        *("parameters", "params:features.options", "params:subset.seed", "params:spark_ml.repeats"),
        *("params:spark_ml.classifiers.linear_svm", "params:spark_ml.classifiers.decision_tree"),
    }


def test_classifiers_come_from_the_configuration_when_none_are_given():
    set_run_parameters({"spark_ml": {"selected": "linear_svm", "classifiers": {"linear_svm": BLOCK}}})
    assert {node.namespace for node in create_pipeline().nodes} == {"spark_ml", "spark_ml.linear_svm"}


def test_what_spark_ml_offers_is_listed_after_the_fits_and_once(finished, tmp_path):
    pipeline = create_pipeline(["linear_svm", "decision_tree"])
    (listing,) = [node for node in pipeline.nodes if node.name == "spark_ml.survey_classifiers"]
    assert {"linear_svm_run_record", "decision_tree_run_record"} < set(listing.inputs)
    file, made = tmp_path / "survey.json", finished.catalog.load("classifier_survey")
    found = {row["name"]: row for row in made["classifiers"]}
    assert found["LogisticRegression"]["multiclass"] == "natively"
    assert found["LinearSVC"] == {
        "name": "LinearSVC", "multiclass": "through OneVsRest", "probabilities": "no", "features": "any"
    }  # fmt: skip
    assert "no negative ones" in found["NaiveBayes"]["features"]
    file.write_text(json.dumps(made | {"classifiers": ["kept"]}))
    assert nodes.survey_classifiers(file, {})["classifiers"] == ["kept"]


def test_the_announcement_waits_for_all_that_the_models_leave_and_adds_nothing():
    pipeline = create_pipeline(CHOSEN)
    (last,) = [node for node in pipeline.nodes if node.name == "spark_ml.announce_run_records"]
    left = {f"spark_ml.{name}.{plot}" for name in CHOSEN for plot in ("roc_plot", "wrong_gallery")}
    assert left | {"classifier_survey"} <= set(last.inputs)
    assert pipeline.nodes[-1] == last  # the survey comes after all run records
    assert announce({"a": 1}, {"b": 2}) == {}
