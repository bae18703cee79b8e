import json
from pathlib import Path

import pytest
from tests.factories import event_logs as logs

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.event_log.reader import find_event_log, read_event_log

DATA = Path(__file__).parent / "data"


def test_reads_a_whole_log(tmp_path):
    log = read_event_log(logs.write_log(tmp_path / "app", logs.small_log()))
    assert (log.id, log.spark_version, log.finished, log.cores) == (logs.APPLICATION_ID, "3.5.9", True, 2)
    assert log.ended - log.started == 10
    assert [(job.group, job.stages) for job in log.jobs] == [("a-fit", (0,))]
    assert log.labels == {"a-fit": "Training logistic_regression"}
    assert log.stage_tasks == {0: 2}
    first = log.tasks[0]
    assert (first.run_s, first.deserialise_s, first.serialise_s, first.cpu_s, first.gc_s) == (1.8, 0.1, 0.02, 1, 0.3)
    assert log.peaks[0, "0"] == (600 * 2**20, 50 * 2**20)
    assert log.notes == [] and log.bad_lines == 0


@pytest.mark.parametrize(
    ("before", "words"),
    [("", "micro-batches of the stream"), ("\n", "micro-batches of the stream"), ("learn\n", "learn")],
)
def test_micro_batches_of_a_stream_are_named_without_their_ids(tmp_path, before, words):
    label = f"{before}id = b25e110a-37f4\nrunId = f1e7f1a2-2473\nbatch = 0"
    events = [logs.log_start(), logs.application_start(), logs.job_start(0, 2000, {0: 1}, "f1e7f1a2", label=label)]
    assert read_event_log(logs.write_log(tmp_path / "app", events)).labels == {"f1e7f1a2": words}


def test_reads_ten_thousand_tasks(tmp_path):
    events = [logs.log_start(), logs.application_start(), logs.executor_added(cores=8)]
    counters = {f"internal.metrics.{place}": place for place in range(20)}
    for job in range(100):
        at = 2000 + 1000 * job
        events.append(logs.job_start(job, at, {job: 100}, f"Training x #{job}"))
        for task in range(100 * job, 100 * job + 100):
            events.append(logs.task_start(task, job, at + 1))
            events.append(logs.task_end(task, job, at + 1, at + 70, run=60, cpu=50, accumulables=counters))
        events.append(logs.job_end(job, at + 900))
    log = read_event_log(logs.write_log(tmp_path / "app", events))
    assert len(log.tasks) == 10_000 and len(log.jobs) == 100
    assert all(task.ended and task.run_s == 0.06 for task in log.tasks)


def test_a_truncated_last_line_is_skipped_and_counted(tmp_path):
    file = logs.write_log(tmp_path / "app", logs.small_log()[:-2])
    file.write_text(file.read_text()[:-200])
    log = read_event_log(file)
    assert log.bad_lines == 1 and not log.finished
    assert sum(task.ended for task in log.tasks) == 1
    # The task whose end was cut is known from its start.
    assert [task.id for task in log.tasks if not task.ended] == [1]
    assert any("were cut, and were skipped: 1" in note for note in log.notes)
    assert any("runs still, or was killed" in note for note in log.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty|does not say when"),
        ("not a log\n", "is no event log"),
        ('{"a": 1}\n', "is no event log"),
        ("\x28\xb5\x2f\xfd", "is no event log.*uncompressed"),
        ('{"Event":"SparkListenerLogStart","Spark Version":"3.5.9"}\n', "does not say when the application started"),
    ],
)
def test_a_file_that_is_no_log_is_refused(tmp_path, content, message):
    (tmp_path / "app").write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match=message):
        read_event_log(tmp_path / "app")


def test_no_file_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="There is no event log"):
        read_event_log(tmp_path / "absent")
    with pytest.raises(UserError, match="holds no file events_"):
        read_event_log(tmp_path)


def test_fields_of_another_version_are_named(tmp_path):
    events = logs.small_log()
    for event in events:
        if event["Event"] == "SparkListenerTaskEnd":
            del event["Task Metrics"]["Executor CPU Time"]
    log = read_event_log(logs.write_log(tmp_path / "app", events))
    assert any("lack Executor CPU Time: these parts count as 0" in note for note in log.notes)
    for event in events:
        if event["Event"] == "SparkListenerTaskEnd":
            del event["Task Info"]["Launch Time"]
    with pytest.raises(UserError, match="SparkListenerTaskEnd lacks the field 'Launch Time'"):
        read_event_log(logs.write_log(tmp_path / "app", events))


def test_a_log_in_progress(tmp_path):
    file = logs.write_log(tmp_path / f"{logs.APPLICATION_ID}.inprogress", logs.small_log()[:6])
    assert find_event_log(tmp_path, logs.APPLICATION_ID) == file
    log = read_event_log(file)
    assert not log.finished and len(log.tasks) == 2 and not any(task.ended for task in log.tasks)
    assert log.ended - log.started == pytest.approx(2.5)  # the last launch is the last that is known


def test_a_rolled_log(tmp_path):
    folder = tmp_path / f"eventlog_v2_{logs.APPLICATION_ID}"
    events = logs.small_log()
    for place, part in {1: events[:4], 2: events[4:7], 10: events[7:]}.items():  # 10 comes after 2
        logs.write_log(folder / f"events_{place}_{logs.APPLICATION_ID}", part)
    (folder / f"appstatus_{logs.APPLICATION_ID}").touch()
    assert find_event_log(tmp_path, logs.APPLICATION_ID) == folder
    whole = read_event_log(logs.write_log(tmp_path / "app", events))
    assert read_event_log(folder) == whole
    (folder / f"events_1_{logs.APPLICATION_ID}").unlink()
    with pytest.raises(UserError, match="does not say when the application started"):
        read_event_log(folder)


def test_a_compacted_log(tmp_path):
    folder, events = tmp_path / "eventlog_v2_app", logs.small_log()
    logs.write_log(folder / "events_1_app", [{"Event": "SparkListenerForeign"}])
    logs.write_log(folder / "events_2_app.compact", events[:5])
    logs.write_log(folder / "events_3_app", events[5:])
    log = read_event_log(folder)
    assert len(log.tasks) == 2 and "has compacted the log" in log.notes[0]


def test_executors_that_come_and_go(tmp_path):
    events = logs.small_log()
    events[3:3] = [logs.executor_removed("0", 1500), logs.executor_added("1", 2, 1800)]
    log = read_event_log(logs.write_log(tmp_path / "app", events))
    assert log.cores == 2 and [one.removed is None for one in log.executors] == [False, True]


def test_no_executor_is_noted(tmp_path):
    events = [one for one in logs.small_log() if "Executor" not in one["Event"]]
    log = read_event_log(logs.write_log(tmp_path / "app", events))
    assert log.cores == 0 and any("names no executor" in note for note in log.notes)


def test_python_times_of_spark_4(tmp_path):
    times = {
        "time to start Python workers": 300,
        "time to initialize Python workers": 200,
        "time to run Python workers": 4000,
        "duration": 9,
    }
    events = logs.small_log()
    events[7] = logs.task_end(1, 0, 2500, 7500, run=4900, accumulables=times)
    task = read_event_log(logs.write_log(tmp_path / "app", events)).tasks[1]
    assert task.uses_python and (task.python_start_s, task.python_total_s) == (0.5, 4.0)


def test_a_log_that_spark_wrote():
    log = read_event_log(DATA / "orca_training")
    assert log.finished and log.cores == 2 and len(log.tasks) == 31 and len(log.jobs) == 12
    assert {job.group for job in log.jobs} == {None, "Training airbench_bigdl #0", "Predicting #1"}
    assert log.notes == []
    (worker,) = (task for task in log.tasks if task.run_s > 100)
    assert worker.getting and worker.finish > worker.getting and worker.stage in log.python_stages
    assert max(python for _, python in log.peaks.values()) > 1000 * 2**20
    assert all(json.loads(line)["Event"] for line in (DATA / "orca_training").read_text().splitlines())
