"""Training by processes of this host, without Spark."""

import json
import multiprocessing
import os
import time

import psutil
import pytest
import torch
from tests.factories.training import make_job, write_images
from tests.factories.transfer import HEAD, WHOLE, begin, make_jobs, phases_of

from cifar_pipelines.engines import create_engine
from cifar_pipelines.training.checkpoint import Checkpoint
from cifar_pipelines.training.phase_job import first_weights
from cifar_pipelines.training.process import train_alone


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), 24, 6, size=20, classes=3)


def test_two_workers_train_the_network_that_one_would(files, tmp_path):
    phases = phases_of(HEAD, WHOLE | {"augmentation": ["flip", "shift"], "bn": "frozen"})
    for name in ("one", "two"):
        begin(tmp_path / name)
        head, whole = make_jobs(files, tmp_path / name, phases, keep="last")
        train_alone(head, 1)
        train_alone(whole, 1) if name == "one" else create_engine("local").train(whole, 2, 1)
    one, two = (first_weights(str(tmp_path / name), 3) for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-4, rtol=1e-4)
    assert [report["rank"] for report in Checkpoint(tmp_path / "two").reports()] == [0, 1]


def test_workers_end_with_what_started_them_and_a_lost_one_is_told(files, tmp_path):
    Checkpoint(tmp_path).begin({})
    context = multiprocessing.get_context("spawn")
    parent = context.Process(target=_long, args=(files, str(tmp_path)))
    parent.start()
    report = tmp_path / "worker0.json"
    while not report.exists() and parent.is_alive():
        time.sleep(0.05)
    worker = psutil.Process(json.loads(report.read_text())["pid"])
    assert worker.pid not in (os.getpid(), parent.pid)
    parent.kill()
    parent.join()
    worker.wait(20)


def _long(files, folder):
    create_engine("local").train(make_job(files, 24, folder, recipe={"epochs": 100_000}), 1, 1)


def test_a_worker_that_has_left_a_reason_ends_in_peace_and_trains_nothing(files, tmp_path):
    Checkpoint(tmp_path).begin({})
    Checkpoint(tmp_path).fail("The card is gone.")
    create_engine("local").train(make_job(files, 24, tmp_path), 1, 1)
    assert Checkpoint(tmp_path).failure() == "The card is gone." and not Checkpoint(tmp_path).holds_state
