import json
import logging
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog
from tests.factories import event_logs as logs
from tests.factories.records import make_cnn_record, make_extraction_record, make_record

from cifar_pipelines import hooks
from cifar_pipelines.datasets import RunRecordsDataset
from cifar_pipelines.event_log.application import application_record
from cifar_pipelines.event_log.components import Measured, group_of_stages, split_application
from cifar_pipelines.event_log.reader import read_event_log
from cifar_pipelines.event_log.task_time import Workers
from cifar_pipelines.event_log.timeline import timeline_of
from cifar_pipelines.records.job_groups import group_names, groups_of, lost_workers, measured_groups
from cifar_pipelines.records.run_record import RunRecord

DATA = Path(__file__).parent / "data"
LABEL = "Training logistic_regression"
FIT = "a-fit"  # the id of the job group of `small_log`


@pytest.fixture
def split(tmp_path):
    def of(events, measured=None):
        log = read_event_log(logs.write_log(tmp_path / "app", events))
        return split_application(log, measured or {})

    of.folder = tmp_path
    return of


def adds_up(components):
    return sum(components.parts.values()) == pytest.approx(components.wall_s * components.cores)


def test_the_parts_of_a_small_log(split):
    whole, (fit,) = split(logs.small_log())
    assert adds_up(whole) and adds_up(fit)
    assert (whole.wall_s, whole.cores, fit.wall_s) == (10, 2, 6)
    assert (fit.group, fit.label) == (FIT, LABEL)
    expected = {
        "driver": 2 * (0.5 + 0.5),  # before the first task and after the last one
        "deserialise": 0.1,
        "result": 0.02,
        "scheduler_delay": 2.0 - 1.8 - 0.12 + 0.1,
        "gc": 0.3,
        "shuffle_read": 0.2,
        "shuffle_write": 0.1,
        "jvm_compute": 1.0 + 4.0,
        "idle_skew": 3.0,  # the first task is done, the second is not
        "jvm_wait": 0.5 + 0.6,
    }
    assert {name: value for name, value in fit.parts.items() if value > 1e-9} == pytest.approx(expected)
    assert whole.parts["start_up"] == pytest.approx(2 * 1)
    assert whole.parts["driver"] == pytest.approx(2 * (1.5 + 2.5))
    assert fit.skew == {"stage": 0, "tasks": 2, "longest_s": 5.0, "median_s": 3.5, "ratio": 1.43}
    assert fit.memory == [{"executor": "0", "jvm_mb": 600.0, "python_mb": 50.0}]
    assert fit.jvm_cpu_s == 5


def test_the_clock_of_the_run_sees_the_driver_outside_of_jobs(split):
    _, (fit,) = split(logs.small_log(), {FIT: Measured(6.5)})
    assert adds_up(fit) and fit.wall_s == 6.5 and fit.parts["driver"] == pytest.approx(2 * (1.0 + 0.5))


def test_repeats_keep_their_own_times(split):
    events = logs.small_log("first")
    events[-1:] = [
        logs.job_start(1, 8000, {1: 1}, "second", label=LABEL),
        logs.task_end(2, 1, 8000, 9000, run=900),
        logs.job_end(1, 9000),
        logs.application_end(10_000),
    ]
    _, groups = split(events, {"second": Measured(1.4, 1.0), "first": Measured(6.2, 2.0)})
    assert [(group.group, group.label) for group in groups] == [("first", LABEL), ("second", LABEL)]
    assert [group.wall_s for group in groups] == pytest.approx([6.2, 1.4])
    assert [group.python_cpu_s for group in groups] == [2.0, 1.0]


def test_a_job_group_without_words_is_called_by_its_id(split):
    _, (fit,) = split(logs.small_log(label=None))
    assert fit.label == fit.group == FIT


def test_a_stage_with_fewer_tasks_than_cores_leaves_cores_idle(split):
    events = logs.small_log()
    events[3] = logs.job_start(0, 2000, {0: 1}, "x")
    del events[6], events[4]
    _, (fit,) = split(events)
    assert adds_up(fit) and fit.parts["idle_few_tasks"] == pytest.approx(5.0) and not fit.parts["idle_skew"]


def test_a_free_core_while_tasks_wait_is_scheduler_delay(split):
    events = [
        *(logs.log_start(), logs.application_start(), logs.executor_added(cores=1)),
        logs.job_start(0, 2000, {0: 2}, "x"),
        logs.task_end(0, 0, 2000, 3000, run=1000),
        logs.task_end(1, 0, 3400, 4400, run=1000),
        *(logs.job_end(0, 4400), logs.application_end(5000)),
    ]
    _, (fit,) = split(events)
    assert fit.parts["scheduler_delay"] == pytest.approx(0.4) and not fit.parts["driver"]


def test_fetching_a_large_result_holds_no_core(split):
    events = logs.small_log()
    events[7] = logs.task_end(1, 0, 2500, 7500, run=3000, getting=5500)
    _, (fit,) = split(events)
    assert adds_up(fit) and fit.parts["result"] == pytest.approx(0.02 + 2 * 2.0)


def test_failed_and_unfinished_tasks(split):
    events = logs.small_log()
    events[7] = logs.task_end(1, 0, 2500, 7500, reason="ExceptionFailure", run=4900)
    _, (fit,) = split(events)
    assert adds_up(fit) and fit.parts["failed"] == pytest.approx(5.0)
    del events[7]
    _, (fit,) = split(events)
    assert adds_up(fit) and not fit.parts["failed"] and fit.parts["remainder"] >= 5.0


def test_a_task_that_waits_for_python(split):
    events = logs.small_log()
    data = {"data sent to Python workers": 5}
    events[7] = logs.task_end(1, 0, 2500, 7500, run=5000, cpu=1000, accumulables=data)
    _, (fit,) = split(events)
    assert adds_up(fit) and fit.parts["python_compute"] == pytest.approx(4.0)
    times = data | {"time to start Python workers": 500, "time to run Python workers": 3000}
    events[7] = logs.task_end(1, 0, 2500, 7500, run=5000, cpu=1000, accumulables=times)
    _, (fit,) = split(events)
    assert adds_up(fit)
    assert (fit.parts["python_start"], fit.parts["python_compute"]) == pytest.approx((0.5, 2.5))


def test_the_workers_of_a_cnn_split_their_task(split):
    events = [
        *(logs.log_start(), logs.application_start(), logs.executor_added(cores=2)),
        logs.job_start(0, 2000, {0: 1}, "lenet", python=True, barrier=True),
        logs.task_end(0, 0, 2000, 12_000, run=10_000, cpu=50),
        *(logs.job_end(0, 12_000), logs.application_end(13_000)),
    ]
    seconds = {
        "python_start": 1.0, "worker_read": 1.5, "worker_validation": 0.5, "worker_checkpoint": 0.25,
        "worker_training": 6.0,
    }  # fmt: skip
    measured = {"lenet": Measured(11.0, 12.0, (Workers(2, seconds),))}
    whole, (fit,) = split(events, measured)
    assert adds_up(whole) and adds_up(fit)
    assert {name: fit.parts[name] / 2 for name in seconds} == pytest.approx(seconds)
    assert fit.parts["remainder"] == pytest.approx(2 * 0.75) and not fit.parts["idle_few_tasks"]
    assert whole.parts["worker_training"] == pytest.approx(12)
    # Counters of a longer time than the task's cannot be of this task alone.
    _, (fit,) = split(events, {"lenet": Measured(11.0, None, (Workers(2, {"worker_training": 99.0}),))})
    assert adds_up(fit) and fit.parts["worker_training"] == pytest.approx(20)


def transfer_log(workers=1):
    """Two phases of 3 and of 2 s after the features of a frozen network, 2 s, and 3.5 s of the driver alone.

    Every phase has a stage of its workers, behind a short one of the kind that Orca has before every training.
    """
    events = [
        *(logs.log_start(), logs.application_start(), logs.executor_added(cores=2)),
        logs.job_start(0, 2000, {0: 1}, "lite0", python=True),
        *(logs.task_end(0, 0, 2000, 4000, run=2000), logs.job_end(0, 4000)),
    ]
    for job, start, end in ((1, 7500, 8000), (2, 8000, 11_000), (3, 10_900, 11_000), (4, 11_000, 13_000)):
        events.append(logs.job_start(job, start, {job: workers}, "lite0", python=True, barrier=True))
        events += [logs.task_end(10 * job + n, job, start, end, run=end - start) for n in range(workers)]
        events.append(logs.job_end(job, end))
    return [*events, logs.application_end(14_000)]


def test_every_phase_of_a_transfer_has_workers_of_its_own_and_the_driver_trains_too(split):
    phases = tuple(Workers(1, {"worker_training": seconds}) for seconds in (2.5, 1.5))
    whole, (fit,) = split(transfer_log(), {"lite0": Measured(11.0, 9.0, phases, driver_training_s=3.0)})
    assert adds_up(whole) and adds_up(fit)
    assert fit.parts["worker_training"] == pytest.approx(2.5 + 1.5)
    assert fit.parts["driver_training"] == pytest.approx(2 * 3.0) and fit.parts["driver"] == pytest.approx(2 * 0.5)
    # The features, and the stages before the trainings.
    assert fit.parts["python_compute"] == pytest.approx(2.0 + 0.5 + 0.1)
    assert whole.parts["driver_training"] == fit.parts["driver_training"] and whole.parts["driver"] > 0


def test_workers_that_were_no_tasks_trained_beside_the_driver(split):
    events = [*transfer_log()[:6], logs.application_end(14_000)]
    workers = (Workers(2, {"worker_training": 6.0, "worker_validation": 1.0}),)
    whole, (fit,) = split(events, {"lite0": Measured(11.0, None, workers)})
    assert adds_up(whole) and adds_up(fit)
    assert fit.parts["driver_training"] == pytest.approx(2 * 7.0) and not fit.parts["worker_training"]
    # What was trained while tasks ran cannot be told from them: no more than there was time without any.
    _, (fit,) = split(events, {"lite0": Measured(11.0, None, (), driver_training_s=99.0)})
    assert adds_up(fit) and fit.parts["driver"] == 0


def test_workers_that_were_lost_are_not_taken_for_those_that_came_after(split):
    events = transfer_log(workers=2)
    first = next(n for n, event in enumerate(events) if event.get("Stage ID") == 2)
    events[first] = logs.task_end(20, 2, 8000, 11_000, reason="ExceptionFailure", run=3000)
    _, (fit,) = split(events, {"lite0": Measured(11.0, None, (Workers(1, {"worker_training": 1.5}),))})
    assert adds_up(fit) and fit.parts["failed"] == pytest.approx(3.0)
    assert fit.parts["worker_training"] == pytest.approx(2 * 1.5)  # those of the second phase, which is shorter


@settings(max_examples=80)
@given(seed=st.integers(0, 2**32), cores=st.integers(1, 5), n_stages=st.integers(1, 5))
def test_parts_add_up_for_any_log(tmp_path_factory, seed, cores, n_stages):
    events = random_log(random.Random(seed), cores, n_stages)
    log = read_event_log(logs.write_log(tmp_path_factory.mktemp("log") / "app", events))
    whole, groups = split_application(log, {})
    for one in (whole, *groups):
        assert adds_up(one)
        assert min(one.parts.values()) > -1e-6  # no part is counted twice


def random_log(draw, cores, n_stages):
    """Stages one after the other; each core takes its next task after a pause; counters may overlap."""
    events = [logs.log_start(), logs.application_start(), logs.executor_added(cores=cores, at=draw.randrange(500))]
    now, number = draw.randrange(500, 1500), 0
    for stage in range(n_stages):
        group = draw.choice([None, f"x{stage}"])
        n_tasks = draw.randrange(1, 9)
        events.append(logs.job_start(stage, now, {stage: n_tasks}, group, python=draw.random() < 0.3))
        free = [now + draw.randrange(50) for _ in range(cores)]
        finished = now
        for _ in range(n_tasks):
            core = free.index(min(free))
            launch = free[core] + draw.randrange(20)
            leave = launch + draw.randrange(1, 900)
            getting = draw.random() < 0.2
            finish = leave + draw.randrange(1, 300) if getting else leave
            counters = {
                name: draw.randrange(400)
                for name in ("run", "deserialise", "serialise", "cpu", "gc", "fetch_wait", "shuffle_write")
                if draw.random() < 0.7
            }
            reason = "Success" if draw.random() < 0.9 else "TaskKilled"
            events.append(
                logs.task_end(number, stage, launch, finish, getting=leave if getting else 0, reason=reason, **counters)
            )
            free[core], number, finished = leave, number + 1, max(finished, finish)
        now = finished + draw.randrange(100)
        events.append(logs.job_end(stage, now))
        now += draw.randrange(500)
    return [*events, logs.application_end(now)]


def test_what_an_engine_takes_around_its_workers(split):
    events = [
        *(logs.log_start(), logs.application_start(), logs.executor_added(cores=1)),
        logs.job_start(0, 2000, {0: 1}, "lenet", python=True, barrier=True),
        logs.task_end(0, 0, 2000, 12_000, run=10_000, cpu=50),
        *(logs.job_end(0, 12_000), logs.application_end(13_000)),
    ]
    start = read_event_log(logs.write_log(split.folder / "moments", events)).tasks[0].launch
    workers = Workers(1, {"python_start": 0.5, "worker_training": 6.0}, began=start + 2, ended=start + 9)
    _, (fit,) = split(events, {"lenet": Measured(10.0, None, (workers,))})
    assert adds_up(fit)
    # 2 s until the worker's code began, 0.5 s of its own start; 9 s after the start, its last epoch had ended.
    assert fit.parts["python_start"] == pytest.approx(2.5) and fit.parts["worker_stop"] == pytest.approx(1.0)
    # A worker whose clock is an hour late: what it says of moments is left out.
    late = Workers(1, workers.seconds, workers.began + 3600, workers.ended + 3600)
    _, (fit,) = split(events, {"lenet": Measured(10.0, None, (late,))})
    assert adds_up(fit) and not fit.parts["worker_stop"] and fit.parts["python_start"] == pytest.approx(0.5)


def read(record, **changes):
    return RunRecord.from_json(record | changes)


def test_what_run_records_know_of_groups():
    assert measured_groups([read(make_record(fit_s=(7.1, 7.3)), job_groups=["a", "b"])]) == {
        "a": Measured(7.1), "b": Measured(7.3)
    }  # fmt: skip
    record = make_cnn_record(setting=(2, 2), epochs=4, resumed_after_epoch=1)
    record["resources"]["python_cpu_s"] = 12.0
    (fit,) = measured_groups([read(record, job_groups=["c"])]).values()
    (workers,) = fit.workers
    assert (workers.threads, fit.python_cpu_s, fit.driver_training_s) == (2, 12.0, 0)
    assert workers.seconds["worker_training"] == pytest.approx(3 * 10.0)  # the first epoch lies in another run
    assert fit.wall_s == pytest.approx(record["timings"]["fit_s"][0] - 10.5)
    rows = [row | {"phase": phase} for row, phase in zip(record["history"], (1, 1, 2, 3), strict=True)]
    phase = {
        "train": "all",
        "epochs": 1,
        "kept_epoch": 1,
        "validation_accuracy": 0.5,
        "seconds": 1.0,
        "trained_parameters": 1,
    }
    phases = [
        phase | {"phase": 1, "inputs": "cache"},
        *(phase | {"phase": number, "inputs": "images", "workers": record["workers"]} for number in (2, 3)),
    ]
    cache = {
        "images": 1,
        "views": 1,
        "extract_s": 1.0,
        "images_per_s": 1.0,
        "reused": True,
        "head_start_s": 2.0,
        "saved_s": 0.0,
    }
    transferred = read(record, job_groups=["c"], history=rows, phases=phases, cache=cache)
    (fit,) = measured_groups([transferred]).values()
    assert [workers.seconds["worker_training"] for workers in fit.workers] == [10.0, 10.0]
    assert fit.driver_training_s == pytest.approx(2.0 + 10.5)  # the start of the head, and the second epoch
    (of_head,) = measured_groups([read(record, job_groups=["c"], phases=phases[:1], history=rows[:2])]).values()
    assert of_head.workers == ()
    lost = read(make_cnn_record(restarts=2))
    assert lost_workers([lost, read(make_record())]) == [
        "airbench_bigdl: workers were lost 2 times; the counters are those of the last ones."
    ]


def test_records_without_ids_of_groups_have_the_label_that_their_groups_had():
    assert group_names(read(make_record())) == (LABEL,)
    assert group_names(read(make_extraction_record())) == ("Extracting kmeans_patches from 10500 images",)
    assert group_names(read(make_record(), job_groups=["a", "b"])) == ("a", "b")
    groups = [{"group": "a", "label": LABEL}, {"group": "b", "label": f"{LABEL} again"}]
    assert groups_of({"groups": groups}, (LABEL,)) == groups_of({"groups": groups}, ("a",)) == groups[:1]


def test_the_components_of_a_real_training():
    log = read_event_log(DATA / "orca_training")
    (group,) = [group for group in log.labels if group.startswith("Training airbench_bigdl")]
    record = read(json.loads((DATA / "orca_training_record.json").read_text()), job_groups=[group])
    whole, groups = split_application(log, measured_groups([record]))
    assert adds_up(whole) and all(adds_up(group) for group in groups)
    (fit,) = [fit for fit in groups if fit.group == group]
    assert fit.wall_s == pytest.approx(record.timings.fit_s[0])
    assert fit.parts["worker_training"] == pytest.approx(2 * record.timings.train_s, rel=0.001)
    assert 0 <= fit.parts["remainder"] < 0.05 * fit.wall_s * fit.cores


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logs.write_log(tmp_path / "logs" / "run" / "event_log" / logs.APPLICATION_ID, logs.small_log())
    return tmp_path


def test_the_record_of_an_application(project):
    log_file = project / "logs" / "run" / "event_log" / logs.APPLICATION_ID
    before = log_file.read_bytes()
    content = application_record(log_file, "the-run", "exec_2x2", {FIT: Measured(6.5)}, ["A note."])
    assert content["log"] == f"logs/run/event_log/{logs.APPLICATION_ID}"
    assert (content["run_id"], content["application_id"]) == ("the-run", logs.APPLICATION_ID)
    assert content["notes"][-1] == "A note."
    (group,) = content["groups"]
    assert (group["group"], group["label"], group["wall_s"]) == (FIT, LABEL, 6.5)
    assert sum(one["core_s"] for one in group["components"].values()) == pytest.approx(13, abs=0.01)
    assert sum(one["share"] for one in group["components"].values()) == pytest.approx(1, abs=0.001)
    assert content["timeline"]["lanes"] == [["0", 0], ["0", 1]] and content["timeline"]["labels"] == [LABEL]
    assert content["timeline"]["spans"] == [[0, 2.5, 4.5, 0], [1, 2.5, 7.5, 0]]
    assert log_file.read_bytes() == before


def test_a_task_that_is_launched_before_the_end_of_another_is_known_adds_no_core(tmp_path):
    events = [
        *(logs.log_start(), logs.application_start(), logs.executor_added(cores=1)),
        logs.job_start(0, 2000, {0: 2}, "x"),
        logs.task_end(0, 0, 2000, 3004, run=1000),
        logs.task_end(1, 0, 3000, 4000, run=1000),
        *(logs.job_end(0, 4000), logs.application_end(5000)),
    ]
    log = read_event_log(logs.write_log(tmp_path / "app", events))
    found = timeline_of(log, group_of_stages(log), {})
    assert found["lanes"] == [["0", 0]] and found["spans"] == [[0, 2.0, 4.0, 0]]


@pytest.fixture
def spark_hooks(project):
    """The hooks of a run whose Spark is done; `stopped` counts how often it was stopped, `catalog` is that of the run."""
    stopped = []
    made = hooks.SparkHooks()
    made._runtime = SimpleNamespace(
        log_dir=project / "logs" / "run", stop=lambda: stopped.append(True), watch=None, session="runs"
    )
    cluster = SimpleNamespace(application_id=logs.APPLICATION_ID, setting="exec_2x2")
    made._context = SimpleNamespace(run_id="the-run", cluster=cluster)
    catalog = DataCatalog(
        {name: RunRecordsDataset(path=str(project / name)) for name in ("run_records", "applications")}
    )
    made._catalog = catalog
    record = make_record(fit_s=(6.5,), run_id="the-run") | {"job_groups": [FIT]}
    name = "exec_2x2/{0}.json/{1}/{0}"
    catalog.save("run_records", {name.format("a", "the-run"): record})
    catalog.save("run_records", {name.format("a", "old"): record | {"run_id": "old", "timings": {}}})
    catalog.save("run_records", {name.format("b", "the-run"): "cut"})
    return SimpleNamespace(hooks=made, stopped=stopped, catalog=catalog)


def test_a_log_that_cannot_be_read_is_warned_of(spark_hooks, project, caplog):
    log_file = project / "logs" / "run" / "event_log" / logs.APPLICATION_ID
    log_file.write_text("nothing\n")
    with caplog.at_level(logging.WARNING):
        spark_hooks.hooks.after_pipeline_run()
    assert "Where the time went is not known" in caplog.text and "is no event log" in caplog.text
    assert not spark_hooks.catalog.load("applications")


def test_without_a_log_nothing_is_written(spark_hooks, project, caplog):
    (project / "logs" / "run" / "event_log" / logs.APPLICATION_ID).unlink()
    spark_hooks.hooks.after_pipeline_run()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not spark_hooks.catalog.load("applications") and not warnings


@pytest.mark.parametrize("fails", [False, True])
def test_the_hook_writes_after_spark_has_stopped(spark_hooks, fails):
    if fails:
        spark_hooks.hooks.on_pipeline_error(ValueError("of a node"))
    else:
        spark_hooks.hooks.after_pipeline_run()
    ((name, load),) = spark_hooks.catalog.load("applications").items()
    assert name == "exec_2x2/the-run" and load()["groups"][0]["wall_s"] == 6.5
    spark_hooks.hooks._stop()  # what happens at exit: nothing is left to do
    assert len(spark_hooks.stopped) == 1


@pytest.mark.parametrize("waiting", [set(), {"a node that needs Spark"}])
def test_a_node_that_reads_where_the_time_went_sees_the_run_that_it_is_part_of(spark_hooks, waiting):
    spark_hooks.hooks._waiting = waiting
    spark_hooks.hooks.before_dataset_loaded("applications", SimpleNamespace(tags=set(), name="join"))
    assert list(spark_hooks.catalog.load("applications")) == ["exec_2x2/the-run"]
    assert len(spark_hooks.stopped) == (not waiting)  # Spark ends only when no node needs it any more
