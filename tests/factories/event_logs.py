"""Made-up event logs, with the fields that Spark 3.5 writes."""

import json
from pathlib import Path

import pytest

START_MS = 1_795_000_000_000
APPLICATION_ID = "app-20261120105811-0000"
LABEL = "Training logistic_regression"
FIT = "a-fit"  # the id of the job group of `small_log`


def event(name, **fields):
    return {"Event": f"SparkListener{name}", **fields}


def log_start(version="3.5.9"):
    return event("LogStart", **{"Spark Version": version})


def application_start(at=0):
    return event("ApplicationStart", **{"App Name": "run", "App ID": APPLICATION_ID, "Timestamp": START_MS + at})


def application_end(at):
    return event("ApplicationEnd", Timestamp=START_MS + at)


def executor_added(executor="0", cores=2, at=1000):
    info = {"Host": "127.0.0.1", "Total Cores": cores}
    return event("ExecutorAdded", **{"Timestamp": START_MS + at, "Executor ID": executor, "Executor Info": info})


def executor_removed(executor, at):
    return event("ExecutorRemoved", **{"Timestamp": START_MS + at, "Executor ID": executor})


def job_start(job, at, stages, group=None, python=False, label=None, barrier=False):
    """`stages` maps stage ids to their numbers of tasks; `group` is the id of a job group, `label` its words."""
    rdds = [{"RDD ID": 0, "Name": "PythonRDD" if python else "MapPartitionsRDD", "Barrier": barrier}]
    infos = [
        {"Stage ID": stage, "Stage Attempt ID": 0, "Number of Tasks": tasks, "RDD Info": rdds}
        for stage, tasks in stages.items()
    ]
    properties = {"spark.jobGroup.id": group, "spark.job.description": label}
    properties = {name: value for name, value in properties.items() if value is not None}
    return event(
        "JobStart", **{"Job ID": job, "Submission Time": START_MS + at, "Stage Infos": infos, "Properties": properties}
    )


def job_end(job, at):
    return event("JobEnd", **{"Job ID": job, "Completion Time": START_MS + at})


def _task_info(task, executor, launch, finish, getting=0):
    return {
        "Task ID": task,
        "Launch Time": START_MS + launch,
        "Executor ID": executor,
        "Getting Result Time": START_MS + getting if getting else 0,
        "Finish Time": START_MS + finish if finish else 0,
        "Failed": False,
        "Killed": False,
        "Accumulables": [],
    }


def task_start(task, stage, launch, executor="0"):
    return event("TaskStart", **{"Stage ID": stage, "Task Info": _task_info(task, executor, launch, 0)})


def task_end(
    task, stage, launch, finish, executor="0", getting=0, reason="Success", run=0, deserialise=0, serialise=0,
    cpu=0, gc=0, fetch_wait=0, shuffle_write=0, accumulables=None, jvm_mb=0, python_mb=0,
):  # fmt: skip
    """All times in milliseconds since the start of the application, or long."""
    info = _task_info(task, executor, launch, finish, getting)
    info["Accumulables"] = [
        {"ID": place, "Name": name, "Update": str(value), "Metadata": "sql"}
        for place, (name, value) in enumerate((accumulables or {}).items())
    ]
    return event(
        "TaskEnd",
        **{
            "Stage ID": stage,
            "Task End Reason": {"Reason": reason},
            "Task Info": info,
            "Task Executor Metrics": {
                "ProcessTreeJVMRSSMemory": jvm_mb * 2**20,
                "ProcessTreePythonRSSMemory": python_mb * 2**20,
            },
            "Task Metrics": {
                "Executor Deserialize Time": deserialise,
                "Executor Deserialize CPU Time": 0,
                "Executor Run Time": run,
                "Executor CPU Time": cpu * 1_000_000,
                "Result Serialization Time": serialise,
                "JVM GC Time": gc,
                "Shuffle Read Metrics": {"Fetch Wait Time": fetch_wait},
                "Shuffle Write Metrics": {"Shuffle Write Time": shuffle_write * 1_000_000},
            },
        },
    )


def write_log(path: Path, events) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in events))
    return path


def small_log(group=FIT, label=LABEL):
    """Ten seconds on two cores: start-up to 1 s, a job from 2 to 8 s with two tasks of 2 and 5 s, its driver after."""
    return [
        log_start(),
        application_start(),
        executor_added(cores=2, at=1000),
        job_start(0, 2000, {0: 2}, group, label=label),
        task_start(0, 0, 2500),
        task_start(1, 0, 2500),
        task_end(0, 0, 2500, 4500, deserialise=100, run=1800, serialise=20, cpu=1000, gc=300, jvm_mb=500),
        task_end(1, 0, 2500, 7500, run=4900, cpu=4000, fetch_wait=200, shuffle_write=100, jvm_mb=600, python_mb=50),
        job_end(0, 8000),
        application_end(10_000),
    ]


def adds_up(components):
    return sum(components.parts.values()) == pytest.approx(components.wall_s * components.cores)
