"""Runs the benchmarks: `python -m benchmarks` from the root of the repository."""

import argparse
import json
import os
import platform
import signal
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
    python_tasks,
    registry_list,
    report,
    stream,
    stream_kills,
    stream_learning,
    stream_memory,
    text_fit,
)
from benchmarks.description import DESCRIPTION, EPILOG
from benchmarks.result import SCHEMA_VERSION, Result, results_table
from benchmarks.workload import Step, open_workload
from cifar_pipelines import sources
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.provenance import git_revision, versions
from cifar_pipelines.spark.host import HostMeter, load_average
from cifar_pipelines.spark.setting import host_cores

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
# They need nothing but repeats; the first begins while no executor takes a core.
BY_REPEATS = {
    "registry_list": registry_list.measure,
    "event_log": event_log.measure,
    "python_tasks": python_tasks.measure,
    "stream": stream.measure,
}
OF_NETWORKS = {"usual_way", "stream_usual_size"}
# They need what has to be made first, and run where they are named.
ON_REQUEST = {"learners": learners.measure, "text_fit": text_fit.measure}
BENCHMARKS = (
    *SPARK_BENCHMARKS, *OWN_SESSIONS, "phase_kills", "report", *BY_REPEATS, *ON_REQUEST,
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
    add("--input-size", type=_positive, help="pixels to which the extractor resizes images; default: its own")
    add("--centroids", type=_positive, help="size of the dictionary of kmeans_patches")
    add("--images", type=_positive, default=2000, help="for extraction, streams and CNN speed; default: %(default)s")
    add("--train-images", type=_positive, default=10_000, help="for fits and Orca's example; default: %(default)s")
    add("--test-images", type=_positive, default=500, help="for their accuracy; default: %(default)s")
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
    if not arguments.extractor.startswith(("torchvision:", "timm:")):
        if arguments.only and (those := set(arguments.only) & OF_NETWORKS):
            raise UserError(
                f"Only networks of torchvision and timm can be compared by {' and '.join(sorted(those))}. Add --extractor torchvision:mobilenet_v2."
            )
        selected -= OF_NETWORKS
    return [name for name in BENCHMARKS if name in selected]


def run(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Runs the selected benchmarks; those on Spark share one session."""
    names = selected_benchmarks(arguments)
    results: list[Result] = []
    for name, of_repeats in BY_REPEATS.items():
        if name in names:
            results += _metered(lambda of_repeats=of_repeats: [of_repeats(arguments.repeats, step)])
    if "report" in names:
        if arguments.only or report.has_records():
            results += _metered(lambda: [report.measure(arguments.repeats, step)])
        else:
            step("No report: there are no run records yet; `make run` makes some.")
    if "phase_kills" in names:
        results.append(phase_kills.measure(step))  # what counts are bits, which other work does not change
    for name, measure in (OWN_SESSIONS | ON_REQUEST).items():
        if name in names:
            results += _metered(partial(measure, arguments, step))
    if not set(names) & set(SPARK_BENCHMARKS):
        return results
    streamed = max(arguments.images, stream_learning.LEAST) if set(names) & set(stream_learning.NAMES) else 0
    train_size = max(
        arguments.images if set(names) & {"feature_extraction", "usual_way", "new_images"} else 0,
        streamed,
        arguments.train_images if "logistic_regression_fit" in names else 0,
    )
    with open_workload(arguments, train_size, arguments.test_images, step) as work:
        if extractions := [name for name in ("feature_extraction", "usual_way") if name in names]:
            size, repeats = arguments.images, arguments.repeats
            results += _metered(lambda: feature_extraction.measure(work, size, repeats, extractions, step))
        if "new_images" in names:
            results += _metered(lambda: [new_images.measure(work, arguments.images, arguments.repeats, step)])
        if streams := [name for name in stream_learning.NAMES if name in names]:
            repeats = arguments.repeats
            results += _metered(lambda: stream_learning.measure(work, streamed, repeats, streams, step))
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what it has started ends with it
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
