import re
import subprocess
import sys
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import psutil
import pytest
from tests.factories.processes import wait_until

from cifar_pipelines.spark import host, timing
from cifar_pipelines.spark.properties import native_blas
from cifar_pipelines.spark.timing import Work, count_jobs, measured_work, timed


def test_a_known_job_is_counted(spark):
    nap = 0.2

    def sleep(value):
        time.sleep(nap)
        return value

    with measured_work(spark.session, "Sleeping", show_progress=False) as work:
        values = spark.session.sparkContext.parallelize(range(4), 4).map(sleep).collect()
    assert values == [0, 1, 2, 3]
    assert (work.jobs, work.stages, work.tasks) == (1, 1, 4)
    assert work.task_run_s >= 4 * nap
    assert work.wall_s >= 4 * nap / 2  # on two cores
    assert work.shuffle_read_bytes == work.shuffle_write_bytes == 0


def test_a_shuffle_is_counted_and_a_stage_that_is_skipped_is_not(spark):
    pairs = spark.session.sparkContext.parallelize([(i % 3, i) for i in range(30)], 4)
    totals = pairs.reduceByKey(lambda a, b: a + b, 2)
    with measured_work(spark.session, "First") as first:
        assert dict(totals.collect()) == {0: 135, 1: 145, 2: 155}
    with measured_work(spark.session, "Second") as second:
        totals.collect()
    assert (first.jobs, first.stages, first.tasks) == (1, 2, 6)
    assert first.shuffle_read_bytes > 0 and first.shuffle_write_bytes > 0
    assert (second.jobs, second.stages, second.tasks) == (1, 1, 2)
    assert second.shuffle_write_bytes == 0


def test_jobs_outside_of_the_block_are_not_counted(spark):
    count = spark.session.range(10).count
    with measured_work(spark.session, "Outer", show_progress=False) as work:
        pass
    count()
    assert work.jobs == work.tasks == 0
    with measured_work(spark.session, "Outer", show_progress=False) as again:
        count()
    assert again.jobs == 1


def test_jobs_that_are_counted_on_the_way_are_counted_once(spark):
    pairs = spark.session.sparkContext.parallelize([(i % 3, i) for i in range(30)], 4)
    with measured_work(spark.session, "Many", show_progress=False) as work:
        pairs.reduceByKey(lambda a, b: a + b, 2).collect()
        spark.session.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
        count_jobs(spark.session, work)
        assert (work.jobs, work.stages, work.tasks) == (1, 2, 6)
        pairs.count()
    assert (work.jobs, work.stages, work.tasks) == (2, 3, 10)
    assert (Work() + work).jobs == 2


def test_jobs_after_the_block_carry_the_description_of_before(spark):
    context = spark.session.sparkContext
    context.setJobDescription("a node")
    with measured_work(spark.session, "Counting", show_progress=False):
        assert context.getLocalProperty("spark.job.description") == "Counting"
    assert context.getLocalProperty("spark.job.description") == "a node"
    assert context.getLocalProperty("spark.jobGroup.id") is None
    context.setLocalProperty("spark.job.description", None)


def test_a_block_within_another_belongs_to_its_group_and_leaves_it_in_place(spark):
    context, count = spark.session.sparkContext, spark.session.range(10).count
    with measured_work(spark.session, "Training", show_progress=False) as outer:
        count()
        with measured_work(spark.session, "Storing features", show_progress=False) as inner:
            assert context.getLocalProperty("spark.job.description") == "Storing features"
            count()
        assert context.getLocalProperty("spark.job.description") == "Training"
        count()
        with pytest.raises(ZeroDivisionError), measured_work(spark.session, "Failing", show_progress=False):
            1 / 0  # noqa: B018
        assert context.getLocalProperty("spark.jobGroup.id") == outer.group
    assert outer.group == inner.group and (inner.jobs, outer.jobs) == (1, 3)
    assert context.getLocalProperty("spark.jobGroup.id") is None
    assert outer.task_run_s > inner.task_run_s > 0 and outer.wall_s > inner.wall_s


def test_jobs_of_models_that_train_side_by_side_are_counted(spark):
    from pyspark.ml.classification import LinearSVC, OneVsRest
    from pyspark.ml.linalg import Vectors

    tracker = spark.session.sparkContext.statusTracker()
    rows = [(float(i % 3), Vectors.dense(i % 3 + 0.01 * i, -(i % 3))) for i in range(12)]
    table = spark.session.createDataFrame(rows, ["label", "features"]).coalesce(1)
    outside = set(tracker.getJobIdsForGroup(None))
    with measured_work(spark.session, "Training", show_progress=False) as work:
        OneVsRest(classifier=LinearSVC(maxIter=1), parallelism=2).fit(table)
    assert work.jobs > 3
    assert set(tracker.getJobIdsForGroup(None)) == outside


def test_every_repeat_has_a_job_group_of_its_own_that_carries_the_words(spark):
    context, count = spark.session.sparkContext, spark.session.range(10).count
    with timed(spark.session, "Counting", show_progress=False) as timing:
        for _ in range(2):
            with timing.repeat() as work:
                assert context.getLocalProperty("spark.jobGroup.id") == work.group
                assert context.getLocalProperty("spark.job.description") == "Counting"
                count()
    assert len(set(timing.groups)) == len(timing.seconds) == 2 and min(timing.seconds) > 0
    assert all(len(context.statusTracker().getJobIdsForGroup(group)) == 1 for group in timing.groups)
    assert set(timing.host_load) == {"before", "after", "other_cpu_share"}
    resources = timing.resources()
    assert resources["jobs"] == 2 and "python_cpu_s" not in resources
    with_python = timing.resources(1.5)
    assert with_python["python_cpu_s"] == 1.5
    assert with_python["task_cpu_s"] == pytest.approx(resources["task_cpu_s"] + 1.5, abs=1e-3)


def test_the_host_is_not_watched_after_work_that_fails(spark):
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), timed(spark.session, "Failing") as timing, timing.repeat():
        1 / 0  # noqa: B018
    assert timing.seconds == () and threading.active_count() == before


def test_a_failing_block_keeps_its_error(spark):
    with pytest.raises(ZeroDivisionError), measured_work(spark.session, "Failing") as work:
        1 / 0  # noqa: B018
    assert work.wall_s > 0
    assert spark.session.sparkContext.getLocalProperty("spark.jobGroup.id") is None


def test_work_adds_up_field_by_field():
    total = Work(1.5, 2.5, jobs=1, tasks=3) + Work(0.5, 1.0, gc_s=0.25, jobs=2, stages=4)
    assert total == Work(2.0, 3.5, gc_s=0.25, jobs=3, stages=4, tasks=3)


def test_every_executor_has_its_peaks(spark):
    peaks = timing.executor_peaks(spark.session)
    assert sorted(peak["id"] for peak in peaks) == ["0", "1"]
    for peak in peaks:
        assert set(peak) == {"id", "host", "cores", "peak_jvm_memory_mb", "peak_python_memory_mb"}
        assert (peak["host"], peak["cores"]) == ("127.0.0.1", 1)
        for kind in ("jvm", "python"):
            value = peak[f"peak_{kind}_memory_mb"]
            assert value is None or value > 10


def test_the_driver_is_this_process_and_its_jvm(spark):
    usage = timing.driver_usage()
    assert set(usage) == {"peak_memory_mb", "cpu_s"}
    jvms = [child for child in psutil.Process().children() if child.name() == "java"]
    assert len(jvms) == 1
    assert usage["peak_memory_mb"] > (psutil.Process().memory_info().rss + jvms[0].memory_info().rss) / 2**21
    assert usage["cpu_s"] > sum(psutil.Process().cpu_times()[:2])


def test_the_load_average_is_a_number_where_the_platform_has_one(monkeypatch):
    load = host.load_average()
    assert load is None or load >= 0
    monkeypatch.delattr("os.getloadavg", raising=False)
    assert host.load_average() is None


@pytest.mark.parametrize(
    ("busy", "own", "share"), [(15.0, 5.0, 0.5), (5.0, 5.0, 0.0), (4.0, 5.0, 0.0), (90.0, 1.0, 1.0)]
)
def test_the_share_of_others_is_what_is_busy_and_not_own(monkeypatch, busy, own, share):
    seconds = iter([(100.0, 1000.0), (110.0, 1000.0 + busy)])
    spent = iter([{(1, 0.0): 50.0}, {(1, 0.0): 50.0, (2, 0.0): own}])  # process 2 began meanwhile

    def sample(meter):
        meter._spent |= next(spent)
        return dict(meter._spent)

    monkeypatch.setattr(host, "_host_seconds", lambda: next(seconds))
    monkeypatch.setattr(host.HostMeter, "_sample", sample)
    monkeypatch.setattr(host, "affinity_cores", lambda: 2)
    assert host.HostMeter().stop()["other_cpu_share"] == share


def test_a_process_that_ended_unwaited_for_is_not_somebody_else(monkeypatch):
    """Spark's daemon of Python workers ignores their end, which loses their CPU time."""
    monkeypatch.setattr(host, "POLL_S", 0.05)
    code = (
        "import contextlib, os, signal, subprocess, sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "busy = 'import time\\nwhile time.process_time() < 1.5: pass'\n"
        "subprocess.Popen([sys.executable, '-c', busy])\n"
        "with contextlib.suppress(ChildProcessError): os.wait()"
    )
    meter = host.HostMeter()
    process = subprocess.Popen([sys.executable, "-c", code])
    process.wait()
    spent = sum(meter._spent.values()) - sum(meter._baseline.values())
    meter.stop()
    assert spent > 1.2


def test_a_measurement_of_this_host_is_complete():
    measured = host.HostMeter().stop()
    assert set(measured) == {"before", "after", "other_cpu_share"}
    assert 0 <= measured["other_cpu_share"] <= 1


def test_native_algebra_is_used_only_where_its_library_is_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert native_blas() is None
    library = tmp_path / "lib" / "libmkl_rt.so.2"
    library.parent.mkdir()
    library.touch()
    assert native_blas() == library


def test_progress_counts_finished_tasks_and_never_goes_back(monkeypatch, caplog):
    """Jobs come one after the other, so that no total is known; Spark forgets the oldest; two tasks are of the block around it."""
    over, on = "SUCCEEDED", "RUNNING"
    looks = [
        {0: (2, over)},
        {0: (2, over), 1: (3, on)},
        {0: (2, over), 1: (5, over), 2: (1, on)},
        {2: (4, on)},
        {3: (2, on)},
    ]
    asked = []

    class Tracker:
        def getJobIdsForGroup(self, group):  # noqa: N802
            self.known = looks.pop(0) if len(looks) > 1 else looks[0]
            return list(self.known)

        def getJobInfo(self, job):  # noqa: N802
            asked.append(job)
            return SimpleNamespace(stageIds=[job], status=self.known[job][1])

        def getStageInfo(self, stage):  # noqa: N802
            return SimpleNamespace(numCompletedTasks=self.known[stage][0])

    tracker = Tracker()
    session = SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: tracker))
    monkeypatch.setattr(timing, "_LINE_S", 0.0)
    monkeypatch.setattr(timing, "_POLL_S", 0.01)
    with caplog.at_level("INFO"), timing._progress(session, "group", "Training"):
        assert wait_until(lambda: len(caplog.messages) > 5, 10)
    assert all(re.fullmatch(r"Training: \d+ tasks done after 0 s", line) for line in caplog.messages)
    counts = [int(line.split()[1]) for line in caplog.messages]
    assert counts[:4] == [3, 6, 9, 9] and counts == sorted(counts) and counts[-1] == 9
    assert asked[:5] == [0, 1, 1, 2, 2]  # what has ended is not asked again


def test_spark_is_not_asked_between_two_lines_of_a_log(monkeypatch, caplog):
    asked = []
    tracker = SimpleNamespace(getJobIdsForGroup=lambda group: asked.append(group) or [])
    session = SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: tracker))
    monkeypatch.setattr(timing, "_POLL_S", 0.001)
    with caplog.at_level("INFO"), timing._progress(session, "group", "Training"):
        time.sleep(0.05)
    assert asked == ["group"] and not caplog.messages


def test_lines_of_progress_become_rarer_the_longer_the_work_takes(monkeypatch, caplog):
    class Looks:
        """Polling that looks a thousand times at once; every look at the clock takes a second."""

        def __init__(self, look, _):
            self.look = look

        def __enter__(self):
            for _ in range(1000):
                self.look()

        def __exit__(self, *_):
            pass

    tracker = SimpleNamespace(getJobIdsForGroup=lambda group: [], getJobInfo=None)
    session = SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: tracker))
    monkeypatch.setattr(timing, "Polling", Looks)
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=map(float, range(10_000)).__next__))
    with caplog.at_level("INFO"), timing._progress(session, "group", "Training"):
        pass
    said = [int(line.split(" after ")[1].split()[0]) for line in caplog.messages]
    pauses = [later - former for former, later in pairwise(said)]
    assert pauses[0] < 15 < pauses[8] and 55 < pauses[-1] < 70 and len(said) < 45
