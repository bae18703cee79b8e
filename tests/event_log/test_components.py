import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories import event_logs as logs
from tests.factories.event_logs import FIT, LABEL, adds_up

from cifar_pipelines.event_log.components import Measured, split_application
from cifar_pipelines.event_log.reader import read_event_log


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
