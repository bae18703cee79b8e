"""Peak memory of one executor with its Python workers, after the other Spark benchmarks."""

from benchmarks.result import Bar, Result
from benchmarks.workload import Workload
from cifar_pipelines.spark.timing import executor_peaks

NAME = "executor_memory"
BAR = Bar(2048, at_least=False)


def measure(work: Workload) -> Result | None:
    """Reads the peaks that Spark itself polled: JVM plus Python workers, of the largest executor.

    The two peaks may lie at different moments, and memory that Python workers share counts once per
    worker, so that the sum is an upper bound.

    Returns:
        The result; None where the platform does not show the memory of processes.
    """
    peaks = [
        (executor["peak_jvm_memory_mb"], executor["peak_python_memory_mb"]) for executor in executor_peaks(work.session)
    ]
    known = [(jvm, python) for jvm, python in peaks if jvm is not None and python is not None]
    if not known:
        return None
    parts = "; ".join(f"{jvm:,.0f} + {python:,.0f}" for jvm, python in known)
    return Result(NAME, "MiB", [max(map(sum, known))], bar=BAR, notes=[f"JVM + Python, by executor: {parts}."])
