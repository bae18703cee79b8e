"""How fast learners learn from a stream, how late, and what it gains to let each learn in a task of its own."""

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.feature_extraction import bare_loop, usual_features, usual_network
from benchmarks.result import Bar, Result
from benchmarks.stream import LOOPBACK, ReadBefore
from benchmarks.usual_stream import usual_speed
from benchmarks.workload import Step, Workload
from cifar_pipelines.incremental.states import digest
from cifar_pipelines.pipelines.streaming import learn_node, nodes
from cifar_pipelines.streaming.connection import Patience
from cifar_pipelines.streaming.image_stream import ImageStream
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.pace import Pace
from cifar_pipelines.streaming.server import Service, StreamServer
from cifar_pipelines.streaming.wire import Frame, StreamImage

NAMES = (
    "stream_features", "stream_stored", "stream_late", "stream_side_by_side", "stream_usual", "stream_usual_size", "stream_paces",
)  # fmt: skip
USUAL = {"stream_usual": 1280, "stream_usual_size": 384}  # images of the usual way
BATCH, TRIGGER, HOLDOUT = 128, 32, 200
LEAST = 3 * TRIGGER * BATCH  # images: the first micro-batch does not count
BACKLOG, SENT = 8, 24  # frames that may wait, and frames of a stream
PACES = {
    "slower than the learners": (Pace(rate=BATCH), SENT),
    "faster than the learners": (Pace(), SENT),
    "silent for 65 s between frames": (Pace(interval=65.0), 3),
}
LIKE_USUAL = ["stream_mlp", "stream_sgd_logistic"]


@dataclass(frozen=True)
class Bench:
    """A workload, its images as frames, and where everything lies.

    Attributes:
        work: The workload.
        encoded: Image files.
        labels: Their labels.
        info: The description of features of the workload's extractor.
        features: Features of held-out images.
        folder: Gets frames, commits and stored features.
    """

    work: Workload
    encoded: list[bytes]
    labels: np.ndarray
    info: dict[str, Any]
    features: Any
    folder: Path

    def land(self, name: str) -> Path:
        """Lets all images land in a folder of their own."""
        folder = self.folder / name
        if folder.exists():
            return folder
        with Landing(folder, 10**6, ["bench"]) as landing:
            landing.admit("bench", {"digest": "bench", "classes": self.work.images_info["class_names"]}, "bench")
            numbers = range(0, len(self.encoded), BATCH)
            for number, start in enumerate(numbers, 1):
                part = zip(self.encoded[start : start + BATCH], self.labels[start : start + BATCH], strict=True)
                images = tuple(StreamImage(f"{start + n}", int(label), image) for n, (image, label) in enumerate(part))
                landing.land("bench", Frame(number, 0, 1.0, 1.0, images))
            landing.end("bench", len(numbers))
        return folder

    def learn(self, landing: Path, **changes: Any) -> pd.DataFrame:
        """Learns all frames of a folder; returns a row for every frame, see `MicroBatches.log`."""
        return self.learned(landing, **changes)[1]

    def learned(self, landing: Path, **changes: Any) -> tuple[dict[str, Any], pd.DataFrame]:
        """Likewise; returns what was learned by model too."""
        given = {"landing": str(landing), "holdout_images": HOLDOUT, "resume": False} | changes
        stream = nodes.configure_stream(self.work.parameters["streaming"] | given)
        seed = self.work.parameters["subset"]["seed"]
        course = nodes.plan_course(self.work.images, self.features, self.info, self.work.images_info, stream, seed)
        made_by = (self.info, self.work.state, self.work.spec)
        learned, *_, log = learn_node.learn(
            course, stream, *made_by, self.folder / "commits", self.folder / "stored", self.work.context
        )
        return learned, log


def measure(work: Workload, images: int, repeats: int, names: Sequence[str], step: Step) -> list[Result]:
    """Learns the same frames again and again, in turn with what they are compared with.

    Args:
        work: The workload.
        images: Images of the stream, `LEAST` or more.
        repeats: Rounds.
        names: Some of `NAMES`.
        step: Called with a sentence at every step.
    """
    with _bench(work, images) as bench:
        results = []
        if {"stream_features", "stream_late", *USUAL} & set(names):
            results += _with_features(bench, repeats, names, step)
        if {"stream_stored", "stream_side_by_side"} & set(names):
            results += _with_stored_features(bench, repeats, step)
        if "stream_paces" in names:
            results.append(_paces(bench, step))
    return [result for result in results if result.name in names]


@contextmanager
def _bench(work: Workload, images: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name:
        rows = work.first_images(images).select("image", "label").toPandas()
        held_out = work.images.where(f"split = 'test' and rank < {HOLDOUT}")
        features, info, _ = work.extract(held_out)
        yield Bench(work, [bytes(one) for one in rows["image"]], rows["label"].to_numpy(), info, features, Path(name))
        features.unpersist()


def _with_features(bench: Bench, repeats: int, names: Sequence[str], step: Step) -> list[Result]:
    import torch

    work, landing = bench.work, bench.land("frames")
    torch.set_num_threads(work.cores)
    bare = work.extractor.build(work.state, bench.info["precision"])
    bare_loop(work, bare, bench.encoded[: work.spec.micro_batch])
    ours, loop, few = [], [], []
    usual = {name: (_usual_way(bench, name), []) for name in USUAL if name in names}
    for repeat in range(repeats):
        if {"stream_features", "stream_late"} & set(names):
            step(f"Learning {len(bench.encoded):,} images with their features, round {repeat + 1} of {repeats}.")
            ours.append(learn_node.sustained(bench.learn(landing, store_features=False)))
            loop.append(bare_loop(work, bare, bench.encoded))
        if usual:
            step(f"Two learners of {len(bench.encoded):,} images, and the usual way, round {repeat + 1} of {repeats}.")
            few.append(learn_node.sustained(bench.learn(landing, store_features=False, selected=LIKE_USUAL)))
        for way, speeds in usual.values():
            speeds.append(way())
    results, note = [], [_learners(bench)]
    if ours:
        results.append(Result("stream_features", "images/s", ours, loop, bar=Bar(0.80, at_least=True), notes=note))
    results += [
        Result(name, "images/s", few, speeds, bar=Bar(5, at_least=True), notes=[_features(bench)])
        for name, (_, speeds) in usual.items()
    ]
    if "stream_late" in names:
        results.append(_late(bench, float(np.median(ours)) / 2, step))
    return results


def _usual_way(bench: Bench, name: str) -> Callable[[], float]:
    """Measures images per second of the usual way: with the project's own network in full precision, or with the network as one finds it, at the size of its weights."""
    work, part = bench.work, min(USUAL[name], len(bench.encoded))
    if name == "stream_usual":
        features, size = work.extractor.build(work.state, "fp32"), work.extractor.input_size
    else:
        network, expected = usual_network(work)
        features, size = usual_features(network, expected), expected.size
    classes = len(work.images_info["class_names"])
    return partial(usual_speed, features, size, bench.encoded[:part], bench.labels[:part], classes, BATCH)


def _late(bench: Bench, rate: float, step: Step) -> Result:
    """How long after they were due images are learned and committed, at a steady rate, over TCP."""
    step(f"{len(bench.encoded):,} images over TCP at {rate:.0f} images/s, which is half of what is sustained.")
    source = ReadBefore(bench.work.source, len(bench.encoded))
    stream = ImageStream("bench", source, source.images, BATCH, 1)
    with _served(stream, Pace(rate)) as address:
        log = bench.learn(bench.folder / "received", servers=[address], store_features=False)
    settled = log.iloc[len(log) // 5 :]  # the first micro-batches wait for Python and the network
    late = np.repeat((settled["committed_at"] - settled["scheduled_at"]).to_numpy(), settled["images"])
    half, most, last = np.quantile(late, [0.5, 0.95, 0.99])
    note = f"p50 {half:.2f} s, p95 {most:.2f} s, p99 {last:.2f} s; at most {log['waiting'].max()} frames waited."
    return Result("stream_late", "s, p99", [last], bar=Bar(5, at_least=False), notes=[note])


def _paces(bench: Bench, step: Step) -> Result:
    """Whether a stream that is slower than its learners, faster, or silent for a minute ends right and keeps its backlog."""
    most, states, whole, notes = [], [], True, []
    for name, (pace, frames) in PACES.items():
        source = ReadBefore(bench.work.source, frames * BATCH)
        step(f"{frames * BATCH:,} images over TCP, {name}.")
        with _served(ImageStream("bench", source, source.images, BATCH, 1), pace) as address:
            given = {"servers": [address], "max_backlog": BACKLOG, "frames_per_trigger": 2, "store_features": False}
            learned, log = bench.learned(bench.folder / name.replace(" ", "_"), **given)
        most.append(float(log["waiting"].max()))
        whole = (
            whole and log["sequence"].tolist() == list(range(1, frames + 1)) and log["images"].sum() == frames * BATCH
        )
        if frames == SENT:  # the same images at another pace
            states.append({model: digest(one.state) for model, one in learned.items()})
        notes.append(f"{name}: {frames} frames learned, each once, at most {most[-1]:.0f} waited.")
    same = all(state == states[0] for state in states)
    notes.append(
        f"The slow and the fast stream taught {'the same weights, bit for bit' if same else 'DIFFERENT weights'}."
    )
    bar = Bar(BACKLOG + 1, at_least=False)
    return Result("stream_paces", "frames that waited at most", [max(most)], bar=bar, notes=notes, holds=whole and same)


@contextmanager
def _served(stream: ImageStream, pace: Pace) -> Iterator[str]:
    """A server in a process of its own; gives its address."""

    def serve(told: Any) -> None:
        with StreamServer(Service(stream, pace, None, Patience()), *LOOPBACK, lambda _: None) as server:
            told.send(server.address)
            server.serve()

    processes = multiprocessing.get_context("fork")
    ears, told = processes.Pipe(duplex=False)
    server = processes.Process(target=serve, args=(told,), daemon=True)
    server.start()
    yield ears.recv()
    server.join(10)
    server.kill()


def _with_stored_features(bench: Bench, repeats: int, step: Step) -> list[Result]:
    landing, executors, driver = bench.land("frames"), [], []
    step("Storing the features.")
    bench.learn(landing)
    for repeat in range(repeats):
        step(f"Learning {len(bench.encoded):,} images whose features are stored, round {repeat + 1} of {repeats}.")
        executors.append(bench.learn(landing))
        driver.append(bench.learn(landing, engine="driver"))
    ours = [learn_node.sustained(log) for log in executors]
    learning = [[sustained_learning(log) for log in logs] for logs in (executors, driver)]
    parts = executors[-1].drop_duplicates("committed_at")[["extract_s", "learn_s", "commit_s"]].iloc[1:].mean()
    note = f"{_learners(bench)} A micro-batch: features {parts.iloc[0]:.2f} s, learning {parts.iloc[1]:.2f} s, commit {parts.iloc[2]:.2f} s."
    return [
        Result("stream_stored", "images/s", ours, bar=Bar(2000, at_least=True), notes=[note]),
        Result("stream_side_by_side", "images/s of learning", *learning, bar=Bar(1.5, at_least=True)),
    ]


def sustained_learning(log: pd.DataFrame) -> float:
    """Images per second of learning alone, after the first micro-batch."""
    batches = log.groupby("committed_at").agg(images=("images", "sum"), learn_s=("learn_s", "first")).iloc[1:]
    return batches["images"].sum() / batches["learn_s"].sum()


def _features(bench: Bench) -> str:
    info = bench.info
    return f"Ours: {info['extractor']} at {info['input_size']} px in {info['precision']}."


def _learners(bench: Bench) -> str:
    selected = bench.work.parameters["streaming"]["selected"]
    return f"{len(selected)} learners: {', '.join(selected)}."
