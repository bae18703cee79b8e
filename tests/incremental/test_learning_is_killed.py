"""A process that learns is killed with SIGKILL at random points, in commits too, and goes on each time."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.factories.processes import wait_until

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.states import digest
from cifar_pipelines.pipelines.streaming.query import reading

LEARNER = """
import sys
from pathlib import Path

import numpy as np

from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.states import draft
from cifar_pipelines.incremental.feature_cache import FeatureCache
from cifar_pipelines.incremental.training import Frames, Law, StreamTraining
from cifar_pipelines.learners import LearningTask, create_learner

FRAMES, IMAGES, TASK = 60, 8, LearningTask(("cat", "dog", "fox"), 6, 3)
folder, commits = Path(sys.argv[1]), Commits(Path(sys.argv[1]) / "commits", {"study": 1})
commit = commits.latest()
options = {"ridge": {}, "mlp": {"hidden": 5, "replay": 20, "batch_size": 4}, "minibatch_kmeans": {"clusters": 4}}
trainings = {name: StreamTraining(create_learner(name, TASK, chosen), Law(block=12), None, 1) for name, chosen in options.items()}
for name, training in trainings.items():
    if commit:
        training.load(commit.states[name])
with FeatureCache(folder / "x.features", 6) as cache:
    for number in range(commit.next_sequence if commit else 1, FRAMES + 1):
        keys = [bytes([number, place] * 16) for place in range(IMAGES)]
        if not all(key in cache for key in keys):
            cache.add(keys, np.random.default_rng(number).normal(0, 1, (IMAGES, 6)).astype(np.float32))
        x = cache.look_up(keys)
        label = np.argmax(x[:, :3], axis=1)
        frames = Frames(np.full(IMAGES, number), np.arange(IMAGES), np.zeros(IMAGES, np.int64), x, label)
        for training in trainings.values():
            training.take(frames)
        drafts = {name: draft(commits.folder, name, training.state()) for name, training in trainings.items()}
        commits.keep(number + 1, drafts)
print("done")
"""


def start(folder):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", LEARNER, str(folder)], stdout=subprocess.PIPE, text=True)


def learned(folder):
    """How far the newest commit is, whole or not."""
    return max((int(path.name) for path in (folder / "commits").glob("*") if path.name.isdigit()), default=0)


def test_whatever_moment_a_process_is_killed_in_the_weights_are_the_same(tmp_path):
    straight = start(tmp_path / "straight")
    chance, folder = random.Random(5), tmp_path / "killed"
    for _ in range(4):
        process, before = start(folder), learned(folder)
        assert wait_until(lambda before=before: learned(folder) > before + 3, 60)
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert start(folder).communicate()[0] == straight.communicate()[0] == "done\n"
    expected, found = (Commits(tmp_path / name / "commits", {"study": 1}).latest() for name in ("straight", "killed"))
    assert expected.next_sequence == found.next_sequence == 61
    assert {name: digest(state) for name, state in expected.states.items()} == {
        name: digest(state) for name, state in found.states.items()
    }
    images = np.array([state["counters"][1] for state in found.states.values()])
    assert (images == 60 * 8).all()


def test_a_second_run_on_the_same_frames_is_refused_and_the_first_is_unharmed(tmp_path):
    refused = pytest.raises(UserError, match=r"Another run takes frames from .*stream")
    with reading(tmp_path / "stream"), refused, reading(tmp_path / "stream"):
        pass
    with reading(tmp_path / "stream"):
        pass
