"""Runs the benchmarks: `python -m benchmarks` from the root of the repository."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import (
    cnn_training,
    deployment,
    event_log,
    executor_memory,
    feature_extraction,
    fine_tuning,
    growth,
    learners,
    logistic_regression_fit,
    new_images,
    orca_example,
    phase_kills,
    photographs,
    registry_list,
    report,
    stream,
    stream_kills,
    stream_learning,
    stream_memory,
)
from benchmarks.result import SCHEMA_VERSION, Result, results_table
from benchmarks.workload import Step, open_workload
from cifar_pipelines import sources
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.provenance import git_revision, versions
from cifar_pipelines.spark.host import HostMeter, load_average
from cifar_pipelines.spark.setting import host_cores

DESCRIPTION = """\
Measures the project against references on the same host, in turn within one run, and reports ratios.
The host has to be idle otherwise: other work does not slow both sides alike. PyTorch's threads wait for
each other many times per image, executors do not, and a ratio measured on a busy host can be wrong by a
factor of several, either way.

  feature_extraction       images/s on Spark (exec_2x1, warm workers) over a bare PyTorch loop with the
                           same network in this process with 2 threads; at least 0.80
  usual_way                images/s on Spark over fp32 at 224 px with batches of 64; at least 5; only for
                           torchvision:<backbone>
  new_images               images/s of `kedro predict` (logistic regression, exec_2x1) from files in a folder over a bare
                           loop that reads, decodes and classifies them with 2 threads; at least 0.80
  logistic_regression_fit  seconds of Spark ML over those of scikit-learn, same matrix; only reported
  executor_memory          peak MiB of one executor with its Python workers; below 2048; runs
                           feature_extraction and logistic_regression_fit first
  cnn_training             images/s of BigDL Orca and of TorchDistributor at exec_2x2 over a bare PyTorch loop with
                           the same network and recipe, 2 threads, all but the first epoch; at least 0.90; Orca at
                           exec_2x1 over exec_2x2;
                           Orca's seconds outside of training, below 15
  fine_tuning              images/s of TorchDistributor and of BigDL Orca at exec_2x2 over a bare PyTorch loop with the same
                           pretrained network, size and recipe, 2 threads, all but the first epoch; at least 0.90
  head_on_cache            seconds of 50 epochs of a head whose features are computed anew in each, over those of the same
                           epochs on stored features with their extraction; at least 30; once
  deployment               images/s of ResNet-18 at 224 px in static int8, at least 2, and with channels pruned away, at least
                           1.5, over float32 of the same runtime with one thread; bytes of float32 over those of int8, at
                           least 3.8
  orca_example             seconds of BigDL Orca's own CIFAR-10 example until half of the test images are right,
                           over those of ours; at least 10; once
  photographs              images/s of ingestion and features (torchvision:mobilenet_v2, exec_2x1) from JPEG files of 12
                           megapixels and 3.5 MB over a bare loop that decodes and resizes them; at least 0.70; with
                           the peak memory of executors; once
  growth                   images/s of ingestion and the cheapest features over those of a tenth of the images, at least
                           0.90; with the peak memory of driver and executors, at most 1.10 times; once
  phase_kills              a transfer of three phases that gets SIGKILL at six points, among them both sides of every end of
                           a phase, and goes on each time: the weights of an undisturbed one, bit for bit; once
  registry_list            seconds of `kedro registry list`, which must start no JVM; below 3
  report                   seconds of `kedro run --pipelines comparison` with 200 run records, made of those that
                           are there by repeating them; below 10; left out where there are none
  event_log                seconds to read the event log of an application with 10,000 tasks; below 5
  stream_features          images/s that five learners learn from landed frames with their features (exec_2x1) over the bare loop of
                           feature_extraction; at least 0.80
  stream_usual             images/s of two learners likewise over the usual way in one loop (a line of JSON a batch, images one by
                           one, scikit-learn on the driver); at least 5
  stream_late              seconds from when an image was due to the commit of what it taught, p99, over TCP at half the rate of
                           stream_features; below 5
  stream_stored            images/s with stored features; at least 2000
  stream_side_by_side      images/s of learning alone, one task per learner over all of them in the driver; at least 1.5
  stream_kills             seconds from a kill -9 until frames are learned again: receiver, driver, executor and server in turn; what is
                           learned must be the same bit for bit; once
  stream_memory            MiB of driver and executors after --micro-batches over those after a tenth of them; at most 1.10; once
  learners                 accuracy of the best learner after one pass over --features, at least 0.80; with learners_exact, the largest
                           difference between an exact learner and the fit of all images, below 0.001; once
  stream                   images/s through `kedro stream` over loopback, each frame on the disk before the next, over
                           the same bytes through a bare socket; only reported
"""

EPILOG = """\
examples:
  python -m benchmarks                                       all of them, on synthetic images
  python -m benchmarks --only registry_list                  one of them
  python -m benchmarks --only photographs --photographs 2000
  python -m benchmarks --only growth --growth 100000
  python -m benchmarks --source cifar10 --weights-path mobilenet_v2.pth
  python -m benchmarks --extractor torchvision:mobilenet_v2  random weights, which have the same speed

Written down with every benchmark: the share of the host's CPU time that other processes took meanwhile.
Above 10 % the command says so, and its figures are no evidence. Repeats that do not agree (min-max) are
another sign.
"""

SPARK_BENCHMARKS = (
    "feature_extraction", "usual_way", "new_images", "logistic_regression_fit", "executor_memory", *stream_learning.NAMES,
)  # fmt: skip
# They start Spark in their own way.
OWN_SESSIONS = {
    "cnn_training": cnn_training.measure,
    "fine_tuning": fine_tuning.measure,
    "head_on_cache": fine_tuning.measure_cache,
    "deployment": deployment.measure,
    "orca_example": orca_example.measure,
    "photographs": photographs.measure,
    "growth": growth.measure,
    "stream_kills": stream_kills.measure,
    "stream_memory": stream_memory.measure,
}
# They need what has to be made first, and run where they are named.
ON_REQUEST = {"learners": learners.measure}
BENCHMARKS = (
    *SPARK_BENCHMARKS, *OWN_SESSIONS, "phase_kills", "registry_list", "report", "event_log", "stream", *ON_REQUEST,
)  # fmt: skip


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", action="append", choices=BENCHMARKS, metavar="NAME", help="run this one; may be repeated")
    add("--source", choices=sources.names(), default="synthetic", help="default: %(default)s")
    add("--source-path", help="folder of the images; default: the source's own")
    add(
        "--extractor",
        help="kmeans_patches, torchvision:<backbone> or timm:<backbone>; default: mobilenet_v2 with weights",
    )
    add("--weights-path", help="state dict of the backbone; without it, weights are random")
    add("--centroids", type=_positive, help="size of the dictionary of kmeans_patches")
    add("--images", type=_positive, default=2000, help="for extraction and CNN speed; default: %(default)s")
    add("--train-images", type=_positive, default=10_000, help="for the fit and Orca's example; default: %(default)s")
    add("--test-images", type=_positive, default=500, help="for its accuracy; default: %(default)s")
    add("--photographs", type=_positive, default=40, help="such as 2000, which are 7 GB; default: %(default)s")
    add("--growth", type=_positive, default=20_000, help="synthetic images, such as 1000000; default: %(default)s")
    add("--micro-batches", type=_positive, default=2000, help="of stream_memory; default: %(default)s")
    add("--kills", type=_positive, default=20, help="of stream_kills; default: %(default)s")
    add("--seed", type=int, default=1, help="of stream_kills; default: %(default)s")
    add("--features", type=Path, help="feature table for learners, such as data/04_feature/<...>/features")
    add("--repeats", type=_positive, default=5, help="rounds of everything; default: %(default)s")
    add("--output", type=Path, default=PROJECT_PATH / "bench" / "bench.json", help="default: bench/bench.json")
    arguments = parser.parse_args(argv)
    if arguments.extractor is None:
        arguments.extractor = "torchvision:mobilenet_v2" if arguments.weights_path else "kmeans_patches"
    return arguments


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def selected_benchmarks(arguments: argparse.Namespace) -> list[str]:
    """The benchmarks to run, in their order, with those that another one needs."""
    selected = set(arguments.only or [name for name in BENCHMARKS if name not in ON_REQUEST])
    if "executor_memory" in selected:
        selected |= {"feature_extraction", "logistic_regression_fit"}
    if not arguments.extractor.startswith("torchvision:"):
        if arguments.only == ["usual_way"]:
            raise UserError("usual_way compares torchvision networks. Add --extractor torchvision:mobilenet_v2.")
        selected.discard("usual_way")
    return [name for name in BENCHMARKS if name in selected]


def run(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Runs the selected benchmarks; those on Spark share one session."""
    names = selected_benchmarks(arguments)
    results: list[Result] = []
    if "registry_list" in names:  # first, while no executor takes a core
        results += _metered(lambda: [registry_list.measure(arguments.repeats, step)])
    if "report" in names:
        if arguments.only or report.has_records():
            results += _metered(lambda: [report.measure(arguments.repeats, step)])
        else:
            step("No report: there are no run records yet; `make run` makes some.")
    if "event_log" in names:
        results += _metered(lambda: [event_log.measure(arguments.repeats, step)])
    if "stream" in names:
        results += _metered(lambda: [stream.measure(arguments.repeats, step)])
    if "phase_kills" in names:
        results.append(phase_kills.measure(step))  # what counts are bits, which other work does not change
    for name, measure in (OWN_SESSIONS | ON_REQUEST).items():
        if name in names:
            results += _metered(partial(measure, arguments, step))
    if not set(names) & set(SPARK_BENCHMARKS):
        return results
    train_size = max(
        arguments.images
        if set(names) & {"feature_extraction", "usual_way", "new_images", *stream_learning.NAMES}
        else 0,
        arguments.train_images if "logistic_regression_fit" in names else 0,
    )
    with open_workload(arguments, train_size, arguments.test_images, step) as work:
        if extractions := [name for name in ("feature_extraction", "usual_way") if name in names]:
            size, repeats = arguments.images, arguments.repeats
            results += _metered(lambda: feature_extraction.measure(work, size, repeats, extractions, step))
        if "new_images" in names:
            results += _metered(lambda: [new_images.measure(work, arguments.images, arguments.repeats, step)])
        if streams := [name for name in stream_learning.NAMES if name in names]:
            size, repeats = arguments.images, arguments.repeats
            results += _metered(lambda: stream_learning.measure(work, size, repeats, streams, step))
        if "logistic_regression_fit" in names:
            results += _metered(lambda: [logistic_regression_fit.measure(work, arguments.repeats, step)])
        if "executor_memory" in names and (found := executor_memory.measure(work)):
            results.append(found)
    return results


def _metered(measure: Callable[[], list[Result]]) -> list[Result]:
    """Adds how much of the host others took meanwhile."""
    meter = HostMeter()
    results = measure()
    share = meter.stop()["other_cpu_share"]
    return [replace(result, other_cpu_share=share) for result in results]


def report_for_json(
    arguments: argparse.Namespace, results: Sequence[Result], load_before: float | None
) -> dict[str, Any]:
    """The contents of `bench.json`."""
    import psutil

    return {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": {
            "platform": platform.platform(),
            "machine": platform.machine(),
            "cores": host_cores(),
            "memory_mb": psutil.virtual_memory().total // 2**20,
        },
        "versions": versions(),
        "git_revision": git_revision(),
        "load_average": {"before": load_before, "after": load_average()},
        "arguments": {key: value for key, value in vars(arguments).items() if key not in ("output", "features")},
        "benchmarks": [result.for_json() for result in results],
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        The exit status: 0 when everything was measured, whether or not the bars are met.
    """
    arguments = parse_arguments(argv)
    console = Console(width=None if os.isatty(1) else 120, highlight=False, soft_wrap=True)
    load_before = load_average()
    try:
        results = run(arguments, lambda sentence: console.print(f"• {sentence}", markup=False))
    except UserError as error:
        error.show()
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; nothing was written.")
        return 130
    console.print(results_table(results))
    for result in results:
        for note in result.notes:
            console.print(f"{result.name}: {note}", markup=False)
    if disturbed := [result.name for result in results if result.disturbed]:
        console.print(
            f"[bold red]The host was busy with other work: {', '.join(disturbed)} prove nothing. "
            "Measure again on an idle host.[/]"
        )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    report = report_for_json(arguments, results, load_before)
    arguments.output.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    console.print(f"Written: {os.path.relpath(arguments.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
