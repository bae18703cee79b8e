"""The whole study of deployment on the project's own catalog, what is refused before it, and what the report says of it."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.factories import deployment as factory

from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import build
from cifar_pipelines.pipelines.deployment import create_pipeline, nodes
from cifar_pipelines.pipelines.deployment.judging import judge
from cifar_pipelines.pipelines.deployment.specification import DeploymentSpec, configure, newest_network
from cifar_pipelines.records.deployment_record import DeploymentRecord
from cifar_pipelines.report.sections.deployment import deployments
from cifar_pipelines.spark.run_context import RunContext

MODEL, RUN = "lenet_bigdl", "2026-11-20T10.00.00.000Z"
INFO = {"test_size": 5, "fingerprint": "0123456789abcdef-156"}
BLOCK = load_configuration()["parameters"]["deployment"]
SMALL = BLOCK | {
    "model": MODEL,
    "variants": "bf16+onnx_fp32+onnx_int8+unstructured_pruning",
    "seconds": 0.001,
    "warm_up": 1,
}


def spec(**changes):
    return build(DeploymentSpec, SMALL | changes, "the block deployment")


def make_project(folder):
    """A folder with a trained network in two versions under two settings, its images, and the catalog of deployment."""
    material = factory.make_material(folder / "data" / "03_primary" / "d")
    (folder / "data/03_primary/d/images/_SUCCESS").touch()
    factory.write_info(folder / "data/03_primary/d/images.json")
    networks = folder / "data" / "06_models" / "d" / "images"
    old = networks / "exec_1x1" / f"{MODEL}.pt" / "2026-11-01T10.00.00.000Z" / f"{MODEL}.pt"
    new = networks / "exec_2x1" / f"{MODEL}.pt" / "2026-11-02T10.00.00.000Z" / f"{MODEL}.pt"
    for file in (old, new):
        factory.save_network(file, options={"width": 3})
    factory.train(new, material)
    base = folder / "conf" / "base"
    base.mkdir(parents=True)
    shutil.copy(PROJECT_PATH / "conf" / "base" / "catalog_deployment.yml", base)
    info = "images_info: {type: json.JSONDataset, filepath: data/03_primary/d/images.json}\n"
    empty = '"{family}_run_records": {type: MemoryDataset}\n'
    (base / "catalog.yml").write_text(f"_data: d\n_reporting: data/08_reporting\n{info}{empty}")
    return networks


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study that was run, with what it left."""
    folder = tmp_path_factory.mktemp("deployment")
    make_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = OmegaConfigLoader(str(folder / "conf"), base_env="base", default_run_env="base")["catalog"]
        catalog = DataCatalog.from_config(config, save_version=RUN)
        catalog["params:deployment"], catalog["params:subset.seed"] = MemoryDataset(spec()), MemoryDataset(42)
        catalog["run_context"] = MemoryDataset(RunContext(RUN, setting=None), copy_mode="assign")
        SequentialRunner().run(create_pipeline(MODEL), catalog)
    reporting = folder / "data" / "08_reporting"
    content = json.loads((reporting / f"deployments/{MODEL}.json/{RUN}/{MODEL}.json").read_text())
    return SimpleNamespace(
        folder=folder, reporting=reporting, content=content, record=DeploymentRecord.from_json(content)
    )


def test_the_record_holds_all_that_was_measured(study):
    record = study.record
    assert [one.name for one in record.variants] == [
        "original",
        "bf16",
        "onnx_fp32",
        "onnx_int8",
        "unstructured_pruning",
    ]
    assert record.to_json() == study.content and not record.not_measured
    assert (record.model, record.setting, record.threads, record.test_images) == (MODEL, "exec_2x1", 1, factory.TEST)
    assert record.network.endswith(f"2026-11-02T10.00.00.000Z/{MODEL}.pt") and record.versions["onnxruntime"]
    for one in record.variants:
        assert one.file_bytes == (study.folder / one.file).stat().st_size > 0
        assert [latency.batch for latency in one.latency] == [1, 32]
        assert all(0 < latency.p50_ms <= latency.p95_ms and latency.calls >= 20 for latency in one.latency)
        assert one.quality.low <= one.quality.accuracy <= one.quality.high
    assert record.original.quality.accuracy > 0.9 and record.original.quality.agreement == 1
    assert [one.name for one in record.variants if one.hollow] == ["unstructured_pruning"]
    assert record.shipped in record.answer
    assert record.validation_images == factory.VALIDATION and all(one.validation for one in record.variants)


def test_table_predictions_and_plot_lie_beside_the_record(study):
    table = pd.read_csv(study.reporting / f"deployments/{MODEL}.csv/{RUN}/{MODEL}.csv").set_index("name")
    for one in study.record.variants:
        assert table.loc[one.name, "p95_ms_batch_32"] == one.at(32).p95_ms
        assert table.loc[one.name, "accuracy"] == pytest.approx(one.quality.accuracy)
    assert table.loc["onnx_fp32", "speedup_over_baseline_batch_1"] == 1
    predictions = pd.read_parquet(
        study.folder / f"data/07_model_output/d/deployments/{MODEL}/predictions.parquet/{RUN}"
    )
    assert (predictions.groupby("variant").size() == factory.TEST).all()
    original = predictions[predictions["variant"] == "original"]
    assert (original["label"] == original["prediction"]).mean() == study.record.original.quality.accuracy
    assert (study.reporting / f"deployments/{MODEL}.png/{RUN}/{MODEL}.png").stat().st_size > 5000


def test_the_report_tells_of_the_newest_study(study):
    from tests.factories.report import rows_of, text_of

    section = deployments(study.reporting)
    _, told = section.blocks
    assert told.title == MODEL
    rows = {row["variant"]: row for row in rows_of(told.blocks)}
    assert set(rows) == {"original", "bf16", "onnx_fp32", "onnx_int8", "unstructured_pruning (hollow)"}
    assert rows["onnx_int8"]["int8"] == "5 of 5" and "times)" in rows["onnx_int8"]["1 image: p50 / p95 [ms]"]
    assert rows["original"]["p, Holm"] == "–"
    text = text_of(section.blocks)
    assert study.record.answer in text and f"<{MODEL}.png:" in text
    assert "unstructured_pruning is hollow: Zeros are stored" in text


def test_a_report_without_a_study_says_nothing_of_deployment(tmp_path):
    assert deployments(tmp_path) is None
    broken = tmp_path / "deployments" / "a.json" / RUN / "a.json"
    broken.parent.mkdir(parents=True)
    for text in ("{", "[]", '{"schema_version": 1}', '{"schema_version": 0}'):
        broken.write_text(text)
        assert deployments(tmp_path) is None


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    for setting, name, version in (
        ("exec_1x1", "lenet_bigdl", "1"),
        ("exec_2x1", "lenet_bigdl", "0"),
        ("exec_2x1", "airbench_bigdl", "1"),
    ):
        file = folder / setting / f"{name}.pt" / version / f"{name}.pt"
        factory.save_network(file, training={"images_fingerprint": INFO["fingerprint"]})
    table = folder / "images"
    table.mkdir()
    (table / "_SUCCESS").touch()
    (table / "part-0.parquet").touch()
    return folder


def complaint(networks, info=None, **changes):
    with pytest.raises(UserError) as caught:
        configure(spec(**changes), networks, networks / "images", info or INFO)
    return str(caught.value)


def test_the_newest_version_under_any_setting_is_taken(networks):
    found = newest_network(networks, "lenet_bigdl")
    assert (found.setting, found.version) == ("exec_1x1", "1")
    assert len(configure(spec(), networks, networks / "images", INFO).table) == 1


def test_a_model_that_is_not_there_is_named_with_those_that_are(networks, tmp_path):
    said = complaint(networks, model="lenet_bigd")
    assert "Unknown trained network 'lenet_bigd'. Did you mean 'lenet_bigdl'" in said
    assert "Known: airbench_bigdl, lenet_bigdl." in said and "kedro run --pipelines bigdl_cnn" in said
    assert "There is none." in complaint(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threads": 0}, "deployment.threads is 0, but must be a whole number of at least 1"),
        ({"threads": 10_000}, "deployment.threads is 10000, more than the "),
        ({"calibration_images": 0}, "deployment.calibration_images is 0"),
        ({"warm_up": -1}, "deployment.warm_up is -1"),
        ({"seconds": 0.0}, "deployment.seconds is 0.0, but must be a number above 0"),
        ({"accuracy_loss": -0.1}, "deployment.accuracy_loss is -0.1, but must be a number at least 0"),
        ({"file_mb": float("nan")}, "deployment.file_mb is nan"),
        ({"variants": []}, r"deployment.variants is \[\], but must hold at least one name"),
        ({"variants": "bf16+bf16"}, "each once, such as bf16"),
        ({"variants": "int4"}, "Unknown variant 'int4'"),
        ({"options": {"int4": {}}}, "Unknown variant 'int4'"),
        ({"options": {"bf16": {"share": 1}}}, "Unknown option 'share'"),
        ({"model": 7}, "The option 'model' of the block deployment is 7"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_any_work(changes, said, networks):
    with pytest.raises(UserError, match=said):
        configure(spec(**changes), networks, networks / "images", INFO)


def test_a_network_of_texts_is_refused(networks):
    said = complaint(networks, INFO | {"content": "text"})
    assert (
        said.startswith("The pipeline deployment takes images, but the source holds texts. ")
        and "kedro predict" in said
    )


def test_a_network_of_other_images_than_those_that_are_there_is_refused(networks):
    said = complaint(networks, INFO | {"fingerprint": "fedcba9876543210-156"})
    assert "was trained on other images" in said and "begin with 01234567 and fedcba98" in said


def test_images_that_are_not_whole_are_refused(networks, tmp_path):
    assert "validation.share=0.15" in complaint(networks, INFO | {"test_size": 0, "validation_size": 0})
    with pytest.raises(UserError, match=r"not written to its end\. Make it again: kedro run --pipelines ingestion"):
        configure(spec(), networks, tmp_path, INFO)


def test_a_variant_that_cannot_be_made_is_reported_and_the_others_are_measured(study, monkeypatch, caplog):
    from cifar_pipelines.compression import onnx_files
    from cifar_pipelines.compression.variants.bf16 import Bf16
    from cifar_pipelines.compression.variants.original import Original
    from cifar_pipelines.compression.variants.torchao_int8 import TorchaoInt8

    monkeypatch.chdir(study.folder)
    monkeypatch.setattr(onnx_files, "INT8_LAYERS", set())
    monkeypatch.setattr(TorchaoInt8, "obstacle", lambda self: "This host has no compiler.")
    folders = (study.folder / "data/06_models/d/images", study.folder / "data/03_primary/d/images")
    plan = configure(spec(variants="bf16+onnx_int8+torchao_int8"), *folders, INFO)
    made, missing = nodes.make_variants(plan, study.folder / "again", 1, RunContext(RUN, setting=None))
    assert [one.name for one in made] == ["original", "bf16"]
    assert [one.name for one in missing] == ["onnx_int8", "torchao_int8"]
    assert "Nothing was quantised" in missing[0].reason and missing[1].reason == "This host has no compiler."
    measured, predictions = nodes.measure(plan, made, {"test_size": factory.TEST})
    assert set(measured.latency) == set(predictions["variant"]) == {"original", "bf16"}
    monkeypatch.setattr(Bf16, "load", lambda self, *_: 1 / 0)
    with caplog.at_level("WARNING"):
        measured, _ = nodes.measure(plan, made, {"test_size": factory.TEST})
    assert set(measured.latency) == {"original"} and "bf16 is not measured: ZeroDivisionError" in caplog.text
    monkeypatch.setattr(Original, "load", lambda self, *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        nodes.measure(plan, made, {"test_size": factory.TEST})
    monkeypatch.undo()
    monkeypatch.chdir(study.folder)
    with pytest.raises(UserError, match="holds 60 test images, but its description says 61"):
        nodes.measure(plan, made[:1], {"test_size": 61})
    measured, predictions = nodes.measure(plan, made[:1], {"test_size": 0, "validation_size": factory.VALIDATION})
    assert predictions is measured.validation and set(predictions["image_id"].str[:10]) == {"validation"}


def predictions_of(**right):
    """A table of variants by which of the images of two classes each predicts right."""
    parts = []
    for variant, correct in right.items():
        labels = np.arange(len(correct)) % 2
        prediction = np.where(correct, labels, 1 - labels)
        probability = [[0.8, 0.2] if one == 0 else [0.2, 0.8] for one in prediction]
        ids = [f"{place:03d}" for place in range(len(correct))]
        parts.append(
            pd.DataFrame(
                {
                    "variant": variant,
                    "image_id": ids,
                    "label": labels,
                    "prediction": prediction,
                    "probability": probability,
                }
            )
        )
    return pd.concat(parts).sample(frac=1, random_state=0)


def test_variants_are_judged_in_pairs_with_the_original():
    original = np.array([True] * 12 + [False] * 8)
    worse = np.array([True] * 2 + [False] * 18)
    found = judge(predictions_of(original=original, same=original, worse=worse), ("a", "b"))
    assert list(found) == ["original", "same", "worse"] or set(found) == {"original", "same", "worse"}
    assert (found["same"].p, found["same"].agreement, found["same"].largest_shift) == (1, 1, 0)
    assert (found["worse"].only_original, found["worse"].only_variant) == (10, 0)
    assert found["worse"].p == pytest.approx(2 * 0.5**10) and found["worse"].p_holm == pytest.approx(4 * 0.5**10)
    assert found["worse"].agreement == 0.5 and found["worse"].largest_shift == pytest.approx(0.6)
    assert found["worse"].loss_low <= 0.5 <= found["worse"].loss_high
