import math
import multiprocessing
import os

import pytest
import torch
import torch.distributed as dist
from tests.factories.training import begin_worker, make_job, run_epoch, train_in_process, train_to_the_end, write_images

from cifar_pipelines.pipelines.epoch_log import EpochLog
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.trainer import NotFiniteError, evaluate
from cifar_pipelines.training.worker import require_network_card

RECIPE = {"epochs": 4, "batch_size": 5, "flip": True, "crop_padding": 1, "averaging": 0.5, "learning_rate": 0.02}
ROW = {
    "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds",
    "validation_seconds", "images_per_s",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), 15, 4, size=16, classes=3, parts=2)


@pytest.fixture
def alone(tmp_path):
    """A process group of this process."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def make(files, tmp_path):
    """Returns a function that begins a checkpoint of the given name and makes the job for it."""

    def make_begun_job(name="run", recipe=(), files=files, images=15, **changes):
        Checkpoint(tmp_path / name).begin({})
        changes = {"validation_images": 4, **changes}
        return make_job(files, images, tmp_path / name, recipe=RECIPE | dict(recipe), **changes)

    return make_begun_job


def airbench(job_maker, **changes):
    return job_maker(network="airbench", options={"width": 4, "growth": 2}, **changes)


def test_every_epoch_leaves_a_row_a_state_and_a_report(alone, make):
    job = make(recipe={"epochs": 2})
    worker = begin_worker(job)
    checkpoint = Checkpoint(job.checkpoint)
    for epoch in (1, 2):
        assert not worker.done
        run_epoch(worker)
        state, history = checkpoint.load()
        assert state["epoch"] == epoch == len(history) and history == checkpoint.history() == worker.history
    assert worker.done
    for epoch, row in enumerate(history, start=1):
        assert row.keys() == ROW and row["epoch"] == epoch
        assert all(math.isfinite(value) for value in row.values())
        assert 0 <= row["accuracy"] <= 1 and 0 <= row["validation_accuracy"] <= 1
        assert row["images_per_s"] == pytest.approx(15 / row["seconds"])
    images, labels = job.read_validation(0, 1)
    judged = evaluate(worker.trainer.network, state["average"], images, labels, "fp32")
    assert row["validation_loss"] == pytest.approx(judged["loss"] / 4)
    (report,) = checkpoint.reports()
    assert report["rank"] == 0 and report["pid"] == os.getpid() and report["threads"] == 1
    assert (
        report["batch_size"] == 5
        and report["images"] == 15
        and (report["precision"], report["device"]) == ("fp32", "CPU")
    )
    for key in ("start_s", "read_s", "validate_s", "checkpoint_s", "cpu_s", "peak_memory_mb"):
        assert report[key] >= 0


def test_a_long_epoch_says_where_it_is(alone, make, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr("cifar_pipelines.training.worker.SAY_S", 0.0)
    job = make(recipe={"epochs": 2})
    worker, checkpoint = begin_worker(job), Checkpoint(job.checkpoint)
    look = EpochLog(checkpoint, "lenet_local", 2)
    run_epoch(worker)
    look._show()  # what was said on the way is of an epoch that has ended
    assert "so far" not in caplog.text and "epoch 1 of 2: loss" in caplog.text
    inputs = next(iter(worker.trainer.begin_epoch()))
    worker.forward(*inputs)
    look._show()
    look._show()
    progress = checkpoint.progress()
    assert (progress["epoch"], progress["step"], progress["steps"]) == (2, 1, 3) and progress["loss"] > 0
    assert caplog.text.count(f"lenet_local: epoch 2 of 2: step 1 of 3, loss {progress['loss']:.3f} so far") == 1


def test_a_second_worker_goes_on_from_the_checkpoint_as_if_nothing_had_happened(alone, make):
    whole = train_to_the_end(airbench(make, name="whole"))
    job = airbench(make, name="stopped")
    first = begin_worker(job)
    run_epoch(first)
    run_epoch(first)
    second = begin_worker(job)
    assert second.trainer.epoch == 2 and second.history == first.history and not second.done
    run_epoch(second)
    run_epoch(second)
    assert second.done and [row["epoch"] for row in second.history] == [1, 2, 3, 4]
    expected, found = whole.trainer.weights(), second.trainer.weights()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    for key in ("loss", "accuracy", "validation_loss", "learning_rate"):
        assert [row[key] for row in second.history] == [row[key] for row in whole.history]


def test_a_training_that_was_stopped_after_its_last_epoch_is_done_and_reports(alone, make):
    job = make(recipe={"epochs": 1})
    train_to_the_end(job)
    Checkpoint(job.checkpoint).begin({})
    again = begin_worker(job)
    assert again.done and len(again.history) == 1
    (report,) = Checkpoint(job.checkpoint).reports()
    assert report["rank"] == 0 and report["read_s"] >= 0


def test_the_network_looks_at_the_images_before_the_first_step_only(alone, make):
    job = airbench(make, recipe={"epochs": 2})
    worker = begin_worker(job)
    whitening = worker.trainer.network.whiten.weight.clone()
    assert not torch.equal(whitening, job.build_network().whiten.weight)
    run_epoch(worker)
    again = begin_worker(job)
    assert torch.equal(again.trainer.network.whiten.weight, whitening)


def test_without_validation_images_the_scores_are_nought(alone, make):
    worker = train_to_the_end(make(recipe={"epochs": 1}, validation_images=0))
    assert worker.history[0]["validation_loss"] == worker.history[0]["validation_accuracy"] == 0


def test_a_loss_that_is_not_finite_ends_the_training_for_good(alone, make):
    job = make()
    worker = begin_worker(job)
    with torch.no_grad():
        worker.trainer.network[0].bias.fill_(math.nan)
    with pytest.raises(NotFiniteError):
        run_epoch(worker)
    reason = r"loss is nan in epoch 1, step 1"
    with pytest.raises(RuntimeError, match=reason):
        begin_worker(job)


@pytest.mark.timeout(400)
def test_two_workers_train_the_network_that_one_would(alone, make, tmp_path):
    # One step takes all images, so that both see the same ones; three images are shares of two and one.
    same = {"batch_size": 3, "epochs": 6, "learning_rate": 0.1, "flip": False, "crop_padding": 0, "averaging": 0.0}
    few = {"files": write_images(tmp_path / "few", 3, 1, size=16), "images": 3, "validation_images": 1}
    # Batch normalisation sees a worker's images only: those weights are equal among workers, not to one worker's.
    jobs = [make("plain", same, **few), airbench(make, name="normalised")]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=train_in_process, args=(rank, 2, tmp_path, jobs)) for rank in range(2)]
    try:
        for process in processes:
            process.start()
        one = train_to_the_end(make("one", same, **few))
        for process in processes:
            process.join(120)  # a slow host takes half of it to import torch
    finally:
        for process in processes:
            process.kill()
            process.join()
    assert [process.exitcode for process in processes] == [0, 0]

    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    for mine, theirs in zip(*ranks, strict=True):
        assert mine["parameters"].keys() == theirs["parameters"].keys()
        for name, value in mine["parameters"].items():
            assert torch.equal(value, theirs["parameters"][name]), name
        assert [row["loss"] for row in mine["history"]] == [row["loss"] for row in theirs["history"]]
    plain, normalised = ranks[0]
    assert len(normalised["history"]) == 4
    for name, value in one.trainer.network.named_parameters():
        torch.testing.assert_close(plain["parameters"][name], value.detach(), atol=1e-4, rtol=1e-3)
    for key in ("loss", "accuracy", "validation_loss", "learning_rate"):
        assert [row[key] for row in plain["history"]] == pytest.approx([row[key] for row in one.history], rel=1e-3)
    reports = Checkpoint(jobs[0].checkpoint).reports()
    assert [(report["batch_size"], report["images"]) for report in reports] == [(2, 2), (1, 1)]


def test_a_network_card_that_is_not_there_is_named_and_ends_the_training(make, monkeypatch):
    job = make()
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    require_network_card(job)
    assert Checkpoint(job.checkpoint).failure() is None
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo,eth99")
    with pytest.raises(RuntimeError, match="GLOO_SOCKET_IFNAME names the network card 'eth99', which"):
        require_network_card(job)
    assert "'eth99'" in Checkpoint(job.checkpoint).failure()
