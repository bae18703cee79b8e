import logging
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog
from tests.factories import event_logs as logs
from tests.factories.event_logs import FIT, LABEL
from tests.factories.records import make_record

from cifar_pipelines import hooks
from cifar_pipelines.datasets import RunRecordsDataset
from cifar_pipelines.event_log.application import application_record
from cifar_pipelines.event_log.components import Measured, group_of_stages
from cifar_pipelines.event_log.reader import read_event_log
from cifar_pipelines.event_log.timeline import timeline_of


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
