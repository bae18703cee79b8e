"""All engines on the shared cluster, on a sliver of images."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from tests.factories.processes import wait_until
from tests.factories.records import make_record

from cifar_pipelines import engines
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import families
from cifar_pipelines.pipelines import prediction
from cifar_pipelines.pipelines.bigdl_cnn import nodes
from cifar_pipelines.pipelines.bigdl_cnn.specification import CnnSpec, check_sizes
from cifar_pipelines.pipelines.new_images import NewImages
from cifar_pipelines.pipelines.training import forget_checkpoint
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.training.recipe import Recipe

EPOCHS = 12
RECIPE = Recipe(
    epochs=EPOCHS,
    batch_size=30,
    learning_rate=0.02,
    bias_learning_rate_factor=1.0,
    momentum=0.9,
    weight_decay=0.0,
    label_smoothing=0.0,
    warm_up=0.25,
    final_learning_rate=0.1,
    crop_padding=1,
    flip=True,
    cutout=0,
    averaging=0.0,
    flip_at_test=True,
    precision="fp32",
)


SEED = 42


def spec(engine, **changes):
    values = {"image_size": 32, "validation_images": 20, "resume": True, "recipe": RECIPE} | changes
    return CnnSpec("lenet", engine, "Because it is small.", {}, **values)


@pytest.fixture(scope="module")
def stored(ingested, spark, tmp_path_factory):
    """The image table as files, which is how workers read it."""
    folder = (tmp_path_factory.mktemp("tables") / "images").as_uri()
    ingested.images.write.parquet(folder)
    return spark.session.read.parquet(folder)


@pytest.fixture(scope="module")
def train(stored, ingested, run_context, tmp_path_factory):
    """Returns a function that trains and predicts."""

    def run(cnn, checkpoints=None):
        checkpoints = checkpoints or tmp_path_factory.mktemp("checkpoints")
        configuration = nodes.check_checkpoint(cnn, checkpoints, ingested.info, SEED, run_context)
        network, history, report = nodes.train_cnn(
            stored, ingested.info, cnn, configuration, checkpoints, SEED, run_context
        )
        pids = [json.loads(file.read_text())["pid"] for file in checkpoints.glob("*/worker*.json")]
        return SimpleNamespace(
            network=network,
            history=history,
            report=report,
            checkpoints=checkpoints,
            configuration=configuration,
            alive=[psutil.pid_exists(pid) for pid in pids],
        )

    return run


def kill_a_worker(checkpoints):
    """Kills the second worker in mid-training."""

    def epochs():
        return [len(json.loads(file.read_text())) for file in checkpoints.glob("*/history.json")]

    assert wait_until(lambda: any(done >= 2 for done in epochs()), 250)
    (report,) = checkpoints.glob("*/worker1.json")
    psutil.Process(json.loads(report.read_text())["pid"]).kill()


@pytest.fixture(scope="module")
def trained(train, tmp_path_factory):
    """The same training by every engine; TorchDistributor loses a worker on the way."""
    checkpoints = tmp_path_factory.mktemp("checkpoints")
    with ThreadPoolExecutor(1) as beside:
        killing = beside.submit(kill_a_worker, checkpoints)
        interrupted = train(spec("torch_distributor"), checkpoints)
        killing.result()
    others = {name: train(spec(name)) for name in engines.engine_names() if name != "torch_distributor"}
    return {"torch_distributor": interrupted, **others}


@pytest.mark.timeout(1200)
def test_a_worker_of_torch_distributor_that_is_killed_is_started_again(trained):
    restarts = {name: run.report.restarts for name, run in trained.items()}
    assert restarts == {"bigdl": 0, "local": 0, "torch_distributor": 1}


def test_sparks_python_workers_outlive_a_training_with_all_that_they_have_imported(trained):
    alive = {name: run.alive for name, run in trained.items()}
    assert alive == {"bigdl": [True, True], "local": [False, False], "torch_distributor": [False, False]}


@pytest.mark.parametrize("engine", engines.engine_names())
def test_every_executor_has_one_worker_that_trained_its_shard(trained, engine, run_context):
    workers = trained[engine].report.workers
    assert [worker.rank for worker in workers] == [0, 1]
    assert [worker.images for worker in workers] == [60, 60]
    assert [worker.batch_size for worker in workers] == [15, 15]
    assert {worker.threads for worker in workers} == {run_context.setting.executor_cores}
    assert all(worker.cpu_s > 0 and worker.peak_memory_mb > 0 for worker in workers)


@pytest.mark.parametrize("engine", engines.engine_names())
def test_the_history_has_a_row_per_epoch_and_the_checkpoint_can_be_forgotten(trained, engine, run_context):
    history = trained[engine].history
    assert list(history["epoch"]) == list(range(1, EPOCHS + 1))
    assert (history[["loss", "validation_loss", "images_per_s", "seconds"]] > 0).all().all()
    forget_checkpoint({"run_id": "this one"}, trained[engine].checkpoints, run_context)
    assert not [path for path in trained[engine].checkpoints.iterdir() if path.is_dir()]
    timings = trained[engine].report.timings
    assert timings.fit_s[0] >= timings.train_s + timings.validate_s
    assert [row.loss for row in trained[engine].report.history] == list(history["loss"])


@pytest.mark.parametrize("engine", ["local", "torch_distributor"])
def test_the_same_seed_gives_the_same_network_by_every_engine(trained, engine):
    expected, found = trained["bigdl"], trained[engine]
    assert list(found.history["loss"]) == pytest.approx(list(expected.history["loss"]), rel=1e-4)
    for name, weights in expected.network.state_dict.items():
        torch.testing.assert_close(found.network.state_dict[name], weights, rtol=1e-2, atol=1e-3)


@pytest.fixture(scope="module")
def predicted(trained, stored, ingested, run_context, tmp_path_factory):
    """The network of one of them, saved and loaded, with its predictions of the test images."""
    from cifar_pipelines.datasets import TrainedNetworkDataset

    path = tmp_path_factory.mktemp("saved") / "lenet_bigdl.pt"
    dataset = TrainedNetworkDataset(filepath=str(path))
    dataset.save(trained["bigdl"].network)
    saved = dataset.load()
    table, report = prediction.predict_judged(saved, stored, ingested.info, spec("bigdl"), run_context)
    return SimpleNamespace(path=path, saved=saved, table=table, report=report)


def test_the_network_predicts_all_test_images(predicted):
    predictions, report = predicted.table, predicted.report
    assert len(predictions) == 30 and predictions["image_id"].is_unique
    assert min(report.latency["batch_1_ms"], report.latency["batch_250_ms"]) > 0
    assert report.parameter_count == sum(p.numel() for p in predicted.saved.network.build().parameters())


def test_a_saved_network_gives_the_test_images_the_same_predictions_again(predicted, ingested, spark, tmp_path):
    path, expected = predicted.path, predicted.table
    for image_id, image in ingested.source.read(expected["image_id"]):
        (tmp_path / image_id).parent.mkdir(exist_ok=True)
        (tmp_path / image_id).write_bytes(image)
    record = RunRecord.from_json(make_record("lenet_bigdl", family="bigdl_cnn", artifacts={"model": str(path)}))
    predictor = families()["bigdl_cnn"].predictor(record)
    found = predictor(NewImages(spark.session, tmp_path, list(expected["image_id"]), 2)).set_index("image_id")
    found = found.loc[expected["image_id"]]
    assert list(found["prediction"]) == list(expected["prediction"])
    # Batches are others, which moves the last bit of a sum.
    np.testing.assert_allclose(np.stack(found["probability"]), np.stack(expected["probability"]), rtol=1e-6)


def test_a_network_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "lenet_bigdl.pt"
    path.write_bytes(b"not a network")
    record = RunRecord.from_json(make_record("lenet_bigdl", family="bigdl_cnn", artifacts={"model": str(path)}))
    with pytest.raises(UserError, match=r"cannot be read as a network .*it is damaged, or of an earlier version"):
        families()["bigdl_cnn"].predictor(record)


def test_a_loss_that_is_not_finite_stops_the_run_and_is_located(train):
    with pytest.raises(UserError, match=r"The loss is .* in epoch 1, step \d+.*learning_rate"):
        train(spec("bigdl", recipe=replace(RECIPE, learning_rate=1e30)))


def test_a_checkpoint_of_another_configuration_is_refused_key_by_key(ingested, run_context, tmp_path):
    from cifar_pipelines.training.checkpoint import Checkpoint

    ours = nodes.check_checkpoint(spec("bigdl"), tmp_path, ingested.info, SEED, run_context)
    left = Checkpoint(tmp_path / "2024-01-01")
    left.begin(ours)
    left.save({"epoch": 1}, [{"epoch": 1}])
    assert nodes.check_checkpoint(spec("bigdl"), tmp_path, ingested.info, SEED, run_context) == ours
    other = spec("bigdl", recipe=replace(RECIPE, epochs=3), image_size=16)
    with pytest.raises(
        UserError, match=r"image_size \(checkpoint: 32; now: 16\); recipe.epochs \(checkpoint: 12; now: 3\)"
    ):
        nodes.check_checkpoint(other, tmp_path, ingested.info, SEED, run_context)
    nodes.check_checkpoint(spec("bigdl", resume=False, image_size=16), tmp_path, ingested.info, SEED, run_context)


def test_an_unknown_engine_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"Unknown engine 'bigdll'\. Did you mean 'bigdl'"):
        engines.create_engine("bigdll")


def test_a_missing_bigdl_is_refused_with_what_to_install(monkeypatch):
    from cifar_pipelines.engines import bigdl

    monkeypatch.setattr(bigdl, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"requirements-bigdl.txt.*engines=torch_distributor"):
        engines.create_engine("bigdl").check()
    assert bigdl.bigdl_jars() == []


@pytest.mark.parametrize(
    ("images", "workers", "batch", "words"),
    [
        (3, 4, 4, "3 training images: fewer than the 4 workers"),
        (100, 4, 3, "batch_size is 3, fewer than the 4 workers"),
        ("all", 4, 3, "batch_size is 3, fewer than the 4 workers"),
        (100, 2, 200, "batch_size is 200, more than the 100 training images"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(images, workers, batch, words):
    with pytest.raises(UserError, match=words):
        check_sizes(spec("bigdl", recipe=replace(RECIPE, batch_size=batch)), images, workers)


def test_a_class_without_training_images_is_refused(train, stored, ingested, run_context, tmp_path):
    cnn = spec("bigdl")
    with pytest.raises(UserError, match="hold none of the class 'unseen'"):
        info = ingested.info | {"class_names": [*ingested.info["class_names"], "unseen"]}
        nodes.train_cnn(stored, info, cnn, {}, tmp_path, SEED, run_context)
