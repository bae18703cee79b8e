from dataclasses import replace

import pytest
import torch
from tests.factories.training import write_images
from tests.factories.transfer import BACKBONE, HEAD, LAST, WHOLE, begin, digest, make_jobs, phases_of

from cifar_pipelines.backbones import create_backbone
from cifar_pipelines.training.phase_job import first_weights, write_start
from cifar_pipelines.training.process import train_alone
from cifar_pipelines.training.trainer import NotFiniteError
from cifar_pipelines.training.worker import TrainingWorker


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), 24, 6, size=20, classes=3, parts=2)


def train(jobs, begin_at=1):
    for job in jobs[begin_at - 1 :]:
        train_alone(job, 1)


def final(folder, phases):
    return digest(first_weights(str(folder), len(phases) + 1))


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """A training of three phases that nothing disturbed: its digest and history."""
    torch.set_num_threads(1)
    folder, phases = tmp_path_factory.mktemp("whole"), phases_of(HEAD, LAST, WHOLE)
    checkpoint = begin(folder)
    train(make_jobs(files, folder, phases))
    return final(folder, phases), checkpoint.history()


def test_the_history_of_all_phases_is_one(whole):
    _, history = whole
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert [row["phase"] for row in history] == [1, 1, 2, 2, 3, 3]


# Before the first state, in mid-phase, at both boundaries and one epoch after each, and after the last epoch.
@pytest.mark.parametrize("epochs", [0, 1, 2, 3, 4, 5, 6])
def test_a_training_that_is_killed_ends_with_the_same_bits(files, tmp_path, whole, monkeypatch, epochs):
    phases = phases_of(HEAD, LAST, WHOLE)
    checkpoint = begin(tmp_path)
    done = 0
    end_epoch = TrainingWorker.end_epoch

    def count(worker):
        nonlocal done
        if done == epochs:
            raise KilledError  # the epoch has been trained, and nothing of it is kept
        end_epoch(worker)
        done += 1

    monkeypatch.setattr(TrainingWorker, "end_epoch", count)
    if epochs < 6:
        with pytest.raises(KilledError):
            train(make_jobs(files, tmp_path, phases))
    else:
        train(make_jobs(files, tmp_path, phases))
    monkeypatch.setattr(TrainingWorker, "end_epoch", end_epoch)
    loaded = checkpoint.load()
    checkpoint.begin({})
    train(make_jobs(files, tmp_path, phases), loaded[0]["phase"] if loaded else 1)
    found, expected = final(tmp_path, phases), whole[0]
    assert found == expected
    same = ("epoch", "phase", "loss", "validation_loss", "validation_accuracy", "learning_rate")
    assert [[row[key] for key in same] for row in checkpoint.history()] == [
        [row[key] for key in same] for row in whole[1]
    ]


def test_a_phase_moves_what_it_trains_and_nothing_else(files, tmp_path):
    checkpoint = begin(tmp_path)
    before = first_weights(str(tmp_path), 1)
    train(make_jobs(files, tmp_path, phases_of(LAST), keep="last"))
    after = checkpoint.load()[0]["network"]
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith(("conv_head.", "classifier.")) for name in moved)


def test_loader_processes_change_no_bit(files, tmp_path):
    found = []
    for loader in ("memory", "workers:2"):
        begin(tmp_path / loader)
        phases = phases_of(LAST | {"mixing": {"mixup": 0.3}, "epochs": 1})
        train(make_jobs(files, tmp_path / loader, phases, loader=loader))
        found.append(final(tmp_path / loader, phases))
    assert found[0] == found[1]


def test_a_phase_ends_when_validation_gets_no_better(files, tmp_path):
    checkpoint = begin(tmp_path)
    # With a learning rate of nothing, no epoch is better than the first.
    still = LAST | {"epochs": 9, "patience": 2, "optimiser": {"name": "sgd", "learning_rate": 1e-12}}
    train(make_jobs(files, tmp_path, phases_of(still)))
    assert len(checkpoint.history()) == 3
    assert checkpoint.load()[0]["kept"]["epoch"] in (1, 2, 3)


def test_the_best_epoch_is_handed_on(files, tmp_path):
    checkpoint = begin(tmp_path)
    train(make_jobs(files, tmp_path, phases_of(HEAD | {"epochs": 4}), keep="best"))
    rows = checkpoint.history()
    best = max(rows, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    assert checkpoint.load()[0]["kept"]["epoch"] == best["epoch"]


def test_a_loss_that_is_not_finite_names_the_learning_rate(files, tmp_path):
    checkpoint = begin(tmp_path)
    wild = WHOLE | {"optimiser": {"name": "sgd", "learning_rate": 1e30}, "averaging": 0.0}
    with pytest.raises(NotFiniteError, match=r"loss is (nan|inf) in epoch \d, step \d.*learning_rate \(1e\+30\)"):
        train(make_jobs(files, tmp_path, phases_of(wild)))
    assert "learning_rate" in checkpoint.failure()


def test_inception_joins_the_loss_of_its_auxiliary_head(tmp_path):
    files = write_images(tmp_path / "images", 4, 2, size=24, classes=2)
    backbone = create_backbone("torchvision:inception_v3")
    checkpoint = begin(tmp_path / "run")
    write_start(checkpoint, backbone.build(2).state_dict())
    phases = phases_of(LAST | {"train": "last:1", "epochs": 1, "batch_size": 4, "augmentation": []})
    (job,) = make_jobs(files, tmp_path / "run", phases)
    spec = backbone.input_spec("none", 299)
    train([replace(job, backbone=backbone.name, classes=2, input=spec, train_images=4, validation=("test", 2))])
    before, after = first_weights(str(tmp_path / "run"), 1), checkpoint.load()[0]["network"]
    assert not torch.equal(before["AuxLogits.fc.weight"], after["AuxLogits.fc.weight"])
    assert torch.equal(before["Conv2d_1a_3x3.conv.weight"], after["Conv2d_1a_3x3.conv.weight"])


def test_the_backbone_of_these_tests_is_small():
    assert sum(parameter.numel() for parameter in create_backbone(BACKBONE).skeleton(3).parameters()) < 200_000
