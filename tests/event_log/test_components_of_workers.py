import pytest
from tests.factories import event_logs as logs
from tests.factories.event_logs import adds_up

from cifar_pipelines.event_log.components import Measured
from cifar_pipelines.event_log.reader import read_event_log
from cifar_pipelines.event_log.task_time import Workers


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
