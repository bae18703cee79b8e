"""What a micro-batch of a stream leaves in memory and in the log, and what comes after the last one."""

import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
from tests.factories.course import COURSE, IMAGES, LEARNERS, N, frames, times_of

from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.training import Frames, Law
from cifar_pipelines.pipelines.streaming import learning
from cifar_pipelines.pipelines.streaming.findings import findings
from cifar_pipelines.pipelines.streaming.learning import DriverEngine, MicroBatches, Taken
from cifar_pipelines.pipelines.streaming.specification import Expected


def test_what_a_micro_batch_leaves_in_memory_is_small():
    macro = {f"window_{name}_macro": 0.5 for name in ("precision", "recall", "f1")}
    row = {"model": "stream_ridge", "seconds": 0.1, "window_accuracy": 0.5, "window_log_loss": 0.5} | macro
    engine = SimpleNamespace(take=lambda given, models: [Taken("stream_ridge", None, [row])])
    commits = SimpleNamespace(keep=lambda *given: None)
    batches = MicroBatches(
        engine, commits, lambda given: (given, times_of(given)), lambda sequence: 0, 1, ["stream_ridge"], {}
    )  # fmt: skip

    def take_some(first, last):
        for number in range(first, last):
            one = np.full(1, number)
            batches(Frames(one, one * 0, one * 0, IMAGES[:1], one * 0), number)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before, after = take_some(1, 50), take_some(50, 250)
    finally:
        tracemalloc.stop()
    assert len(batches.log()) == 249 and (after - before) / 200 < 1000  # bytes


def test_a_test_after_the_last_block_is_a_row_of_its_own(tmp_path):
    course = replace(COURSE, law=Law(block=30, holdout_every=3))  # 120 images are four blocks
    engine = DriverEngine(course, Commits(tmp_path, {}), None)
    batches = MicroBatches(
        engine, Commits(tmp_path, {}), lambda given: (given, times_of(given)), lambda _: 0, 1, list(LEARNERS), {}
    )
    batches(frames(1, 5), 0)
    _, last = batches.finish()
    assert last["images"].tolist() == [0, 0] and last["first"].tolist() == [N, N] and (last["seconds"] > 0).all()
    rows = pd.concat([Commits(tmp_path, {}).rows(6), last], ignore_index=True)
    rows = rows[rows["model"] == "stream_mlp"]
    found = findings(rows, Expected(drift_delta=0.002))
    assert found["images"] == N == found["prequential"]["n"]
    assert found["drift_alarms"] == findings(rows[:-1], Expected(drift_delta=0.002))["drift_alarms"]
    assert rows["holdout_n"].notna().tolist() == [False, False, True, False, True]


def test_a_line_says_where_the_learners_are(caplog, monkeypatch):
    caplog.set_level("INFO")
    now = [100.0]
    monkeypatch.setattr(learning.time, "monotonic", lambda: now[0])
    progress = learning.Progress()
    macro = {"window_precision_macro": 0.4, "window_recall_macro": 0.5, "window_f1_macro": 0.444}
    row = {"window_accuracy": 0.5, "window_log_loss": 1.25} | macro
    taken = [
        Taken("stream_mlp", None, [{"window_accuracy": 0.1, "window_log_loss": 9.0} | macro, row]),
        Taken("late", None, []),
    ]
    frame = {"sequence": 7, "images": 50, "waiting": 3, "committed_at": 12.5, "scheduled_at": 11.0, "live": True}
    for seconds in (1.0, 3.0):
        now[0] += seconds
        progress(pd.DataFrame([frame]), taken)
    now[0] += 2.0
    progress(pd.DataFrame([frame | {"waiting": 1, "live": False}]), taken)
    of_images = "Of the last images: stream_mlp 50.0%, loss 1.25, macro P/R/F1 40.0/50.0/44.4%."
    assert [record.getMessage() for record in caplog.records] == [
        f"Frame 7, 25 images/s, 3 frames wait, learned 1.5 s after it was due. {of_images}",
        f"Frame 7, 25 images/s, 1 frame waits, landed before this run. {of_images}",
    ]
