"""Very many tiny frames that wait: what one of them costs does not grow with how many there are. Steps are counted, not seconds."""

import os
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.training import Frames, Law
from cifar_pipelines.learners import LearningTask
from cifar_pipelines.pipelines.streaming.learning import Course, DriverEngine, MicroBatches
from cifar_pipelines.pipelines.streaming.query import put_in_place, set_aside
from cifar_pipelines.pipelines.streaming.specification import LearnerSpec
from cifar_pipelines.streaming import landing
from cifar_pipelines.streaming.journal import Journal, Producer, commit
from cifar_pipelines.streaming.landing import LEARNED, Landing, frame_file

MANY, AT_ONCE = 2000, 100
LOOKS = {"os.listdir", "os.scandir", "open", "os.rename"}
counts: Counter[str] | None = None  # of what is looked at now; an audit hook stays for as long as its process


def _hear(event, _):
    if counts is not None and event in LOOKS:
        counts[event] += 1


@pytest.fixture(scope="module")
def looks():
    """Returns a function that counts the folders that a call lists, and the files that it opens or renames."""
    sys.addaudithook(_hear)

    def count(call):
        global counts
        counts = Counter()
        try:
            call()
        finally:
            found, counts = counts, None
        return found

    return count


def steps(call):
    """How many lines of `landing.py` a call runs."""
    ran = 0

    def trace(frame, event, _):
        nonlocal ran
        if frame.f_code.co_filename != landing.__file__:
            return None
        ran += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return ran


@pytest.fixture
def waiting(tmp_path, monkeypatch):
    """Returns a function that opens a landing folder where so many frames of two producers wait in turn."""
    monkeypatch.setattr(landing, "_facts", lambda file: {"producer": "ab"[int(file.stem) % 2]})

    def opened(count):
        folder = tmp_path / str(count)
        folder.mkdir()
        producers = {name: Producer("digest", [], last=count // 2) for name in "ab"}
        Journal(count, 0, producers).write(folder)
        for number in range(1, count + 1):
            frame_file(folder, number).touch()
        return Landing(folder, 2 * MANY, ["a:1", "b:1"])

    return opened


def test_asking_for_room_costs_the_same_however_many_frames_wait(waiting):
    with waiting(10) as few, waiting(MANY) as many:
        assert steps(lambda: few.until("a")) == steps(lambda: many.until("a"))
        assert few.until("a") == 5 + MANY - 5 and many.until("a") == MANY // 2 + MANY - MANY // 2
        commit(many.folder, 301)  # 150 frames of one and 151 of the other
        assert (many.until("a"), many.until("b")) == (MANY + 150, MANY + 151)
        few.until("b")
        assert steps(lambda: few.until("a")) == steps(lambda: many.until("a"))


def test_a_backlog_is_listed_once_and_each_frame_is_moved_once(looks, tmp_path):
    for number in range(1, MANY + 1):
        frame_file(tmp_path, number).touch()
    found = looks(lambda: put_in_place(tmp_path, 1))
    assert found["os.scandir"] + found["os.listdir"] <= 5 and not found["os.rename"]
    for first in (1, 1 + AT_ONCE, 1 + 2 * AT_ONCE):
        found = looks(lambda first=first: set_aside(tmp_path, first, first + AT_ONCE - 1))
        assert found == {"os.rename": AT_ONCE}
    assert len(list((tmp_path / LEARNED).glob("*.parquet"))) == 3 * AT_ONCE


def test_the_last_micro_batch_of_many_costs_what_an_early_one_does(looks, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    course = Course(
        {"stream_ridge": LearnerSpec("ridge", {}, "Exact.")},
        LearningTask(("cat", "dog"), 3, 1),
        Law(block=AT_ONCE),
        None,
        1,
    )
    commits = Commits(tmp_path, {})
    batches = MicroBatches(
        DriverEngine(course, commits, None), commits, lambda given: given, lambda sequence: MANY - sequence, 1, ["stream_ridge"], {}
    )  # fmt: skip
    found = []
    for first in range(1, MANY + 1, AT_ONCE):
        sequence = np.arange(first, first + AT_ONCE)
        zeros = np.zeros(len(sequence), np.int64)
        given = Frames(sequence, zeros, zeros, np.ones((len(sequence), 3), np.float32), sequence % 2)
        times = pd.DataFrame({"sequence": sequence, "images": 1, "scheduled_at": 1.0, "sent_at": 1.0, "landed_at": 1.0})
        found.append(looks(lambda given=given, times=times, first=first: batches((given, times), first)))
    assert found[-1] == found[4] and found[4]
    assert batches.images == MANY and len(batches.log()) == MANY
    states, _ = batches.finish()
    assert states["stream_ridge"]["counters"][1] == MANY and not len(states["stream_ridge"]["waiting.label"])
