"""A training that loses workers, and one that cannot go on, whatever the engine."""

from types import SimpleNamespace

import pytest
from tests.factories.training import make_job, write_images
from tests.factories.transfer import HEAD, begin, make_jobs, phases_of

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.training import RESTARTS, train_to_the_end
from cifar_pipelines.pipelines.transfer.training import Transfer
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.process import train_alone, train_in_process

REASON = "The loss is nan in epoch 1, step 2."


@pytest.fixture
def run_context(monkeypatch):
    """A run on two executors, whose executors are there at once."""
    monkeypatch.setattr("cifar_pipelines.spark.session.await_executors", lambda *_: ())
    setting = SimpleNamespace(executors=2, executor_cores=1)
    return SimpleNamespace(setting=setting, cluster=SimpleNamespace(embedded=True))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), 15, 4, size=16, classes=3)


@pytest.fixture
def train(files, run_context, tmp_path):
    """Returns a function that trains by an engine that does the given things, one an attempt."""

    def train(*does):
        checkpoint = Checkpoint(tmp_path)
        checkpoint.begin({})
        job = make_job(files, 15, tmp_path, recipe={"epochs": 2, "batch_size": 5, "learning_rate": 1e30})
        seen = []

        def attempt(job, workers, threads):
            seen.append(job.attempt)
            does[job.attempt](checkpoint, job)

        restarts = train_to_the_end(SimpleNamespace(train=attempt), job, checkpoint, run_context)
        assert seen == list(range(restarts + 1))
        return restarts

    return train


def goes_well(checkpoint, job):
    pass


def loses_a_worker(checkpoint, job):
    raise RuntimeError("A worker was lost.")


def leaves_a_reason(checkpoint, job):
    checkpoint.fail(REASON)


def leaves_a_reason_and_breaks(checkpoint, job):
    checkpoint.fail(REASON)
    raise RuntimeError("A worker was lost.")


def test_a_training_that_loses_workers_starts_again_and_says_so(train, caplog):
    assert train(goes_well) == 0 and not caplog.records
    assert train(*[loses_a_worker] * RESTARTS, goes_well) == RESTARTS
    said = "A worker was lost after epoch 0; training starts again from there. (A worker was lost.)"
    assert [record.getMessage() for record in caplog.records] == [said] * RESTARTS


def test_workers_that_are_lost_again_and_again_will_not_come_back(train):
    with pytest.raises(RuntimeError, match="A worker was lost"):
        train(*[loses_a_worker] * (RESTARTS + 1))


@pytest.mark.parametrize("ends", [leaves_a_reason, leaves_a_reason_and_breaks])
def test_a_reason_that_a_worker_left_stops_the_run_at_once(train, ends):
    with pytest.raises(UserError, match=rf"^Training stopped\. {REASON}"):
        train(loses_a_worker, ends)


def test_a_worker_whose_loss_is_not_finite_ends_in_peace_and_stops_the_run(train):
    import torch.distributed as dist

    def wild(checkpoint, job):
        train_in_process(job, 1, store=dist.HashStore(), rank=0, world_size=1)

    with pytest.raises(UserError, match=r"Training stopped\. The loss is .*learning_rate"):
        train(wild)


def test_a_head_on_stored_features_whose_loss_is_not_finite_stops_the_run(tmp_path):
    wild = HEAD | {"optimiser": {"name": "sgd", "learning_rate": 1e38}}
    (job,) = make_jobs((), tmp_path, phases_of(wild))
    training = SimpleNamespace(
        _head_job=lambda number: job,
        _checkpoint=begin(tmp_path),
        _run=SimpleNamespace(cluster=SimpleNamespace(cores=1)),
    )
    words = r"^Training stopped\. The loss is (nan|inf) in epoch 1, step \d.*learning_rate \(1e\+38\)"
    with pytest.raises(UserError, match=words):
        Transfer._train_head(training, 1, train_alone)
