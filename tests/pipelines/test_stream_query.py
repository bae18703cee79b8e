"""The streaming query: Ctrl-C in whatever it is doing, and files that Spark might skip or take twice."""

import _thread
import os
import signal
import threading
import time
from itertools import chain

import numpy as np
import pytest
from pyspark.sql import functions as F  # noqa: N812
from tests.factories.learners import block

from cifar_pipelines.common.images import encode_png
from cifar_pipelines.pipelines.streaming import query
from cifar_pipelines.pipelines.streaming.query import Silence, Taker, put_in_place, run_query
from cifar_pipelines.pipelines.streaming.specification import stream_of
from cifar_pipelines.spark.timing import Work
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage

DAY_NS = 24 * 3600 * 10**9


class Recorder(Taker):
    """Notes the frames of every micro-batch; while it is asked to, it dwells on the first one."""

    def __init__(self, dwells_in="nothing"):
        super().__init__(1)
        self.taken, self.dwells_in, self.dwelling = [], dwells_in, threading.Event()

    def _take(self, frames):
        came = sorted(row["sequence"] for row in frames.select("sequence").distinct().collect())
        if self.dwells_in == "python":
            self.dwelling.set()
            time.sleep(1)
        if self.dwells_in == "spark":
            self.dwelling.set()
            slow = F.udf(lambda number: time.sleep(1) or number, "long")
            frames.select(slow("sequence")).collect()
        self.taken.append(came)
        self.next_sequence = came[-1] + 1


@pytest.fixture
def landing(tmp_path):
    """A folder where four frames of an image have landed, and the stream has ended."""
    folder = tmp_path / "stream"
    with Landing(folder, 10, ["here"]) as landing:
        landing.admit("test", {"digest": "digest", "classes": ["a", "b"]}, "here")
        for number in range(1, 5):
            image = StreamImage("0.png", 0, encode_png(np.zeros((4, 4, 3), np.uint8)))
            landing.land("test", Frame(number, 0, 1.0, 1.0, (image,)))
        landing.end("test", 4)
    return folder


@pytest.fixture
def ctrl_c(monkeypatch):
    """Returns a function that presses Ctrl-C once an event is there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed = []

    def press(event):
        def wait():
            event.wait(30)
            _thread.interrupt_main()

        pressed.append(threading.Thread(target=wait))
        pressed[-1].start()

    yield press
    for thread in pressed:
        thread.join()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("doing", ["waiting", "python", "spark"])
def test_after_ctrl_c_no_query_runs_and_the_next_one_takes_what_is_left(spark, landing, ctrl_c, monkeypatch, doing):
    stream, first = stream_of(block(landing, frames_per_trigger=2)), Recorder(doing)
    if doing == "waiting":
        monkeypatch.setattr(query, "read_journal", lambda folder: first.dwelling.set() or time.sleep(0.05))
    ctrl_c(first.dwelling)
    with pytest.raises(KeyboardInterrupt):
        run_query(spark.session, stream, first, landing / "log")
    assert not spark.session.streams.active and not first.is_busy
    monkeypatch.undo()
    second = Recorder()
    second.next_sequence = first.next_sequence
    put_in_place(landing, second.next_sequence)
    run_query(spark.session, stream, second, landing / "log")
    assert sorted(chain(*first.taken, *second.taken)) == [1, 2, 3, 4]


def test_frames_that_landed_days_apart_are_all_taken_and_jobs_are_counted_on_the_way(spark, landing, monkeypatch):
    monkeypatch.setattr(query, "COUNT_S", 0.05)
    for place, file in enumerate(sorted(landing.glob("*.parquet"))):
        os.utime(file, ns=(place * DAY_NS, place * DAY_NS))
    taker, work = Recorder(), Work()
    run_query(spark.session, stream_of(block(landing, frames_per_trigger=1)), taker, landing / "log", work)
    assert taker.taken == [[1], [2], [3], [4]]
    assert work.group and work.jobs >= 1


def test_a_file_that_somebody_put_back_is_read_in_its_turn(landing):
    files = sorted(landing.glob("*.parquet"))
    times = [file.stat().st_mtime_ns for file in files]
    files[1].write_bytes(files[1].read_bytes())
    os.utime(files[1], ns=(times[3] + DAY_NS,) * 2)
    put_in_place(landing, 1)
    found = [file.stat().st_mtime_ns // 10**6 for file in files]
    assert found == sorted(set(found)) and [found[0], *found[2:]] == [times[n] // 10**6 for n in (0, 2, 3)]


def test_while_nothing_comes_that_is_said_more_and_more_seldom(caplog):
    caplog.set_level("INFO")
    silence = Silence(300)
    for lasted in (0, 5, 10.2, 15, 19, 20.1, 39, 41, 0.1, 3, 10.5):
        silence.say(lasted, 7)
    said = [record.getMessage() for record in caplog.records]
    assert [words.split(";")[0] for words in said] == [
        f"No frame has come for {lasted} s" for lasted in (10, 20, 41, 10)
    ]
    assert said[0].endswith("frame 7 is waited for, and after 300 s the stream is given up.")
