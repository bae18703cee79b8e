from dataclasses import replace

import numpy as np
import pytest

from cifar_pipelines.common import worker_cache
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.precision import resolve_precision
from cifar_pipelines.pipelines import large_images
from cifar_pipelines.pipelines.features import create_pipeline, nodes
from cifar_pipelines.pipelines.features.specification import FeaturesSpec, create_checked_extractor
from cifar_pipelines.pipelines.features.worker import ExtractionJob, extract_array
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.run_record import RunRecord

SPEC = FeaturesSpec("kmeans_patches", None, None, "auto", 16, 4, {})


def features_of(table):
    return {row["image_id"]: np.array(row["features"]) for row in table.collect()}


def extract(ingested, extracted, parameters, run_context, images=None, **changes):
    return nodes.extract_features(
        ingested.images if images is None else images,
        ingested.info,
        extracted.extractor,
        extracted.state,
        replace(extracted.spec, **changes),
        parameters,
        run_context,
    )


def test_features_on_the_cluster_are_those_of_this_process(ingested, extracted, monkeypatch):
    monkeypatch.setattr(worker_cache, "_built", {})
    job = ExtractionJob("here", extracted.extractor, lambda: extracted.state, "fp32", 7)
    found = features_of(extracted.features)
    assert set(found) == set(ingested.manifest["image_id"])
    ids, images = zip(*ingested.source.read(ingested.manifest["image_id"]), strict=True)
    np.testing.assert_allclose(np.stack([found[i] for i in ids]), extract_array(job, list(images)), atol=1e-4)


def test_features_keep_label_and_split(ingested, extracted):
    assert extracted.features.dtypes == [
        ("image_id", "string"),
        ("label", "int"),
        ("split", "string"),
        ("features", "array<float>"),
    ]
    manifest = ingested.manifest.set_index("image_id")
    for row in extracted.features.drop("features").collect():
        assert (row["label"], row["split"]) == tuple(manifest.loc[row["image_id"], ["label", "split"]])


def test_features_do_not_depend_on_partitions_or_batches(ingested, extracted, parameters, run_context):
    shuffled = ingested.images.repartition(5, "image_id").sortWithinPartitions("image")
    table, _, _ = extract(ingested, extracted, parameters, run_context, shuffled, tasks_per_core=1, micro_batch=64)
    first, second = features_of(extracted.features), features_of(table)
    assert first.keys() == second.keys()
    for image_id, features in first.items():
        np.testing.assert_allclose(second[image_id], features, atol=1e-5)


def test_the_dictionary_does_not_depend_on_partitions(ingested, extracted):
    again = nodes.prepare_extractor(extracted.extractor, ingested.images.repartition(5, "label"), ingested.info, 42)
    for key, value in extracted.state.items():
        np.testing.assert_array_equal(again[key], value)


def test_large_images_have_the_features_that_they_would_have_in_this_process(
    ingested, extracted, parameters, run_context, monkeypatch
):
    monkeypatch.setattr(
        large_images, "BATCH_BYTES", 512 * 100
    )  # a batch that the images of the fixture do not fit into
    table, _, _ = extract(ingested, extracted, parameters, run_context)
    first, second = features_of(extracted.features), features_of(table)
    assert first.keys() == second.keys()
    for image_id, features in first.items():
        np.testing.assert_allclose(second[image_id], features, atol=1e-5)
    again = nodes.prepare_extractor(extracted.extractor, ingested.images, ingested.info, 42)
    for key, value in extracted.state.items():
        np.testing.assert_array_equal(again[key], value)


@pytest.mark.parametrize(
    ("info", "by_jvm"),
    [
        ({"largest_image_bytes": 2500}, True),
        ({}, True),
        ({"largest_image_bytes": 3_500_000, "image_bytes": 10**9}, False),
    ],  # {}: older ones
)
def test_large_images_do_not_pass_through_the_jvm(ingested, info, by_jvm):
    table = large_images.shrunk(ingested.images, ("image_id", "image"), info, 16)
    plan = table._jdf.queryExecution().executedPlan().toString()
    scan = next(line for line in plan.splitlines() if "FileScan" in line)
    assert ("image:binary" in scan or "image#" in scan.partition("[")[2].partition("]")[0]) == by_jvm
    assert table.columns == ["image_id", "image"]


def test_the_dictionary_is_learned_from_training_images_alone(ingested, extracted):
    seen = []

    class Spy:
        name, training_images, square = "spy", 50, 16

        def prepare(self, images, seed):
            seen.extend([seed, *images])
            return {}

    assert nodes.prepare_extractor(Spy(), ingested.images, ingested.info, 5) == {}
    train = ingested.manifest[ingested.manifest["split"] == "train"].sort_values("rank")["image_id"][:50]
    assert seen == [5, *(image for _, image in ingested.source.read(train))]


def test_an_image_table_that_its_description_does_not_describe_is_refused(ingested, extracted):
    with pytest.raises(UserError, match=r"has the fingerprint \w+-149, .* says \w+-150: .*--pipelines ingestion"):
        some = ingested.images.where(f"image_id != '{ingested.manifest['image_id'].iloc[0]}'")
        nodes.prepare_extractor(extracted.extractor, some, ingested.info, 42)
    stale = ingested.info | {"fingerprint": "0123456789abcdef-150"}
    with pytest.raises(UserError, match=r"says 0123456789abcdef-150: an earlier ingestion was cut short"):
        nodes.prepare_extractor(extracted.extractor, ingested.images, stale, 42)


def test_the_description_identifies_features_and_images(ingested, extracted):
    info = extracted.info
    assert (info["extractor"], info["input_size"], info["precision"]) == ("kmeans_patches", 16, "fp32")
    assert (info["dimension"], info["rows"], info["micro_batch"]) == (4 * 8, 150, 16)
    assert info["images_fingerprint"] == ingested.info["fingerprint"]
    assert info["setting"] == "exec_2x1" and info["images_per_s"] > 0


def test_the_run_record_of_the_extraction_can_be_compared(extracted):
    record = extracted.record
    assert RunRecord.from_json(record).is_extraction
    table, left_out = records_to_table({"features": record})
    assert len(table) == 1 and not left_out
    assert record["family"] == "features" and record["metrics"] is None
    assert record["parallelism"]["setting"] == "exec_2x1" and not record["parallelism"]["asked"]["cores_max"] > 2
    assert record["data"]["test_images_in_training"] == 0 and "classes_without_test_images" not in record["data"]
    assert record["data"]["train_size"] == 120 and record["features"]["dimension"] == 32
    assert record["resources"]["python_cpu_s"] > 0
    assert record["resources"]["task_cpu_s"] >= record["resources"]["python_cpu_s"]
    assert record["resources"]["jobs"] > 0 and len(record["job_groups"]) == 1
    assert len(record["workers"]) == 2
    assert {(w["precision"], w["threads"]) for w in record["workers"]} == {("fp32", 1)}
    assert len({w["pid"] for w in record["workers"]}) == 2  # every core has a warm worker


def test_the_precision_auto_is_settled_by_the_executors(ingested, extracted, parameters, run_context):
    _, info, record = extract(ingested, extracted, parameters, run_context, precision="auto")
    assert info["precision"] == resolve_precision("auto")
    assert record["params"]["precision"] == "auto" and record["features"]["precision"] == info["precision"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "fp16"}, "precision is 'fp16', but must be one of auto, bf16, fp32"),
        ({"micro_batch": 0}, "micro_batch is 0, but must be a whole number from 1 to 4,096"),
        ({"tasks_per_core": 1.5}, r"tasks_per_core is 1\.5, but must be"),
        ({"input_size": "32"}, "input_size is '32', but must be"),
        ({"input_size": True}, "input_size is True, but must be"),
        ({"options": {"kmeans_patchs": {"centroids": 50}}}, "Unknown extractor 'kmeans_patchs'"),
    ],
)
def test_wrong_parameters_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        replace(SPEC, **change)


def test_the_extractor_is_checked_before_anything_starts():
    assert create_checked_extractor(SPEC).centroids == 400
    options = {"kmeans_patches": {"centroids": 50}, "torchvision": {"mirror": True}}
    assert create_checked_extractor(replace(SPEC, options=options)).centroids == 50
    with pytest.raises(UserError, match="centroids is 1, but must be"):
        create_checked_extractor(replace(SPEC, options={"kmeans_patches": {"centroids": 1}}))
    with pytest.raises(UserError, match="Unknown extractor 'kmeans'"):
        create_checked_extractor(replace(SPEC, extractor="kmeans"))


def test_the_pipeline_checks_the_extractor_without_spark():
    with_spark = {node.short_name for node in create_pipeline().nodes if "spark" in node.tags}
    assert create_pipeline().nodes[0].name == "features.check_extractor"
    assert with_spark == {"prepare_extractor", "extract_features"}
    assert {"features", "features_info", "feature_extraction_run_record"} <= create_pipeline().all_outputs()
