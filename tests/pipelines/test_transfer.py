"""The transfer pipeline on the shared cluster: stored features, phases by an engine, prediction, and what is recorded."""

import io
from contextlib import redirect_stderr
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tests.factories.transfer import HEAD, WHOLE
from tests.pipelines.test_transfer_specification import PARAMETERS, TINY

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.datasets import TrainedNetworkDataset
from cifar_pipelines.pipelines import prediction
from cifar_pipelines.pipelines.training import chance_in, forget_checkpoint
from cifar_pipelines.pipelines.transfer import nodes
from cifar_pipelines.pipelines.transfer.specification import specify_transfer
from cifar_pipelines.training.saved_network import load_network

SEED = 42
PHASES = [HEAD | {"epochs": 3, "batch_size": 30}, WHOLE | {"batch_size": 30, "epochs": 1}]
# A phase that learns nothing, so that it ends early.
STILL = WHOLE | {
    "batch_size": 30, "epochs": 4, "patience": 1, "bn": "frozen", "averaging": 0.0,
    "optimiser": {"name": "sgd", "learning_rate": 1e-12},
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(ingested, spark, tmp_path_factory):
    folder = (tmp_path_factory.mktemp("tables") / "images").as_uri()
    ingested.images.write.parquet(folder)
    return spark.session.read.parquet(folder)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("stored_features")


@pytest.fixture(scope="module")
def train(stored, ingested, run_context, root, tmp_path_factory):
    """Returns a function that trains by an engine."""

    def run(engine, checked=True, **changes):
        block = deepcopy(PARAMETERS["transfer"]) | {
            "device": "cpu",
            "models": {"tiny": TINY | {"precision": "fp32"} | changes},
        }
        spec = specify_transfer("tiny", engine, block)
        checkpoints, configuration = tmp_path_factory.mktemp("checkpoints"), {}
        if checked:
            configuration = nodes.check_checkpoint(spec, checkpoints, ingested.info, SEED, run_context)
        network, history, report = nodes.train_transfer(
            stored, ingested.info, spec, configuration, checkpoints, root, SEED, run_context
        )
        return SimpleNamespace(
            spec=spec,
            network=network,
            history=history,
            report=report,
            configuration=configuration,
            checkpoints=checkpoints,
        )

    return run


@pytest.fixture(scope="module")
def trained(train):
    """A phase on stored features and one on images by two engines, of which the second adds one that ends early."""
    with redirect_stderr(io.StringIO()) as said:
        one = train("torch_distributor", phases=PHASES, views=2)
    one.said = said.getvalue()
    # No image is cut for validation, by which alone phases may end early; here nobody chooses anything by the result.
    return {"torch_distributor": one, "bigdl": train("bigdl", checked=False, phases=[*PHASES, STILL], views=2)}


@pytest.mark.timeout(1200)
def test_every_phase_leaves_its_rows_and_its_report(trained, run_context):
    report = trained["torch_distributor"].report
    assert [row.phase for row in report.history] == [1, 1, 1, 2]
    assert [row.epoch for row in report.history] == [1, 2, 3, 4]
    head, whole = report.phases
    assert (head.train, head.inputs, head.epochs) == ("head", "cache", 3)
    assert (whole.train, whole.inputs, whole.epochs) == ("all", "images", 1)
    assert head.trained_parameters < whole.trained_parameters
    assert head.workers == () and [worker.rank for worker in whole.workers] == list(range(len(whole.workers)))
    assert {worker.device for worker in whole.workers} == {"CPU"}
    # The extraction within the fit does not end its job group: the tasks that trained are counted, and the CPU time of both.
    assert report.resources.task_run_s > sum(worker.ended_at - worker.began_at for worker in whole.workers)
    assert report.resources.python_cpu_s > sum(worker.cpu_s for worker in whole.workers)
    checkpoints = trained["torch_distributor"].checkpoints
    forget_checkpoint({"run_id": "this one"}, checkpoints, run_context)
    assert not [path for path in checkpoints.iterdir() if path.is_dir()]


def test_workers_say_nothing_where_all_goes_well(trained):
    assert trained["torch_distributor"].said == ""


def test_features_are_stored_once_and_what_that_saved_is_recorded(trained):
    first, second = (trained[engine].report.cache for engine in ("torch_distributor", "bigdl"))
    assert (first.images, first.views, first.reused, second.reused) == (150, 2, False, True)
    assert first.head_start_s > 0 and first.images_per_s == pytest.approx(300 / first.extract_s, abs=0.1)
    assert second.saved_s == pytest.approx(3 * first.extract_s * 120 / 150, rel=0.01)


def test_without_images_for_validation_test_images_draw_the_curve_of_every_phase(trained):
    assert all(row.validation_loss > 0 for row in trained["torch_distributor"].report.history)


def test_both_engines_train_the_same_network(trained):
    one, other = (trained[engine].network.state_dict for engine in ("torch_distributor", "bigdl"))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-4)


def test_the_network_predicts_as_it_is_loaded_and_says_what_it_expects(
    trained, stored, ingested, run_context, tmp_path
):
    done = trained["torch_distributor"]
    dataset = TrainedNetworkDataset(filepath=str(tmp_path / "network.pt"))
    dataset.save(done.network)
    saved = dataset.load()
    predictions, report = prediction.predict_judged(saved, stored, ingested.info, done.spec, run_context)
    assert len(predictions) == 30 and report.parameter_count == done.network.parameter_count
    module, spec, names = load_network(tmp_path / "network.pt")
    assert spec == done.spec.input and names == tuple(ingested.info["class_names"])
    rows = {row["image_id"]: bytes(row["image"]) for row in stored.where("split = 'test'").collect()}
    from cifar_pipelines.common.images import load_batch

    images = spec.prepare(load_batch([rows[one] for one in predictions["image_id"]], spec.square))
    with torch.inference_mode():
        expected = module(images).softmax(1)
    torch.testing.assert_close(torch.tensor(predictions["probability"].tolist()), expected, rtol=1e-3, atol=1e-4)


def test_bigdl_ends_a_phase_early(trained):
    done = trained["bigdl"]
    assert [(row.phase, row.epoch) for row in done.report.history[3:]] == [(2, 4), (3, 5), (3, 6)]
    assert [worker.rank for worker in done.report.workers] == [0, 1]


def test_an_unfinished_training_of_another_configuration_is_refused(trained, ingested, run_context, tmp_path):
    from cifar_pipelines.training.checkpoint import Checkpoint

    done = trained["torch_distributor"]
    left = Checkpoint(tmp_path / "2024-01-01")
    left.begin(done.configuration)
    left.save({"epoch": 1, "phase": 1}, [{"epoch": 1, "phase": 1}])
    assert nodes.check_checkpoint(done.spec, tmp_path, ingested.info, SEED, run_context) == done.configuration
    other = replace(done.spec, validation_images=7)
    with pytest.raises(UserError, match=r"validation_images \(checkpoint: 1000; now: 7\).*transfer\.resume=false"):
        nodes.check_checkpoint(other, tmp_path, ingested.info, SEED, run_context)


def test_what_guessing_reaches_is_the_share_of_the_most_frequent_class_of_a_split(spark):
    rows = [("validation", 0)] * 7 + [("validation", 1)] * 3 + [("train", 1)] * 90
    assert chance_in(spark.session.createDataFrame(rows, "split string, label int"), "validation") == 0.7
