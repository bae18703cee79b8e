"""Whether what is learned from a stream stays the same, bit for bit, when its processes are killed again and again, and how soon it goes on."""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq

from benchmarks.result import Result
from benchmarks.workload import Step
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.params import params_text
from cifar_pipelines.common.resolvers import PROJECT_PATH
from cifar_pipelines.streaming.journal import committed
from cifar_pipelines.streaming.landing import LEARNED

NAME = "stream_kills"
ROLES = ("receiver", "driver", "executor", "server")
BATCH, FRAMES_PER_KILL, INTERVAL = 16, 16, 1.0
PATIENCE_S = 300.0
COUNTS = "stream_nearest_class_mean/counts"  # images of every class
CENTROIDS, TEST_IMAGES = 50, 100
# All that are shipped, but for the one that is another one with more random features.
LEARNERS = (
    "stream_ridge+stream_random_features+stream_linear_discriminant+stream_nearest_class_mean+stream_naive_bayes+stream_sgd_svm"
    "+stream_sgd_logistic+stream_mlp+stream_mlp_replay+stream_kmeans+stream_kmeans_10"
)


class Study:
    """A copy of the project in a folder of its own, its server, and the run that learns.

    Args:
        folder: The folder.
        params: What is given to both commands: source, sizes and extractor.
        interval: Seconds from one frame to the next; None for as fast as it goes.
        name: Of the landing folder.
    """

    def __init__(self, folder: Path, params: str, interval: float | None, name: str) -> None:
        self.folder, self._landing = folder, folder / name
        self._interval = interval
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._params = params
        self._log = (folder / f"{name}.log").open("ab")
        self.server = self._serve()
        self.run = self._learn()
        self.runs = 1

    def _start(self, *arguments: str) -> subprocess.Popen:
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src"), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "kedro", *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=self._log, stderr=self._log)

    def _serve(self) -> subprocess.Popen:
        pace = ["--interval", str(self._interval)] if self._interval else []
        options = ["--port", str(self._port), "--batch-size", str(BATCH), *pace, "--params", self._params]
        return self._start("stream", "serve", *options)

    def _learn(self) -> subprocess.Popen:
        streaming = (
            f"streaming.servers=127.0.0.1:{self._port},streaming.landing={self._landing},streaming.selected={LEARNERS}"
        )
        params = f"{self._params},{streaming},streaming.law.block={BATCH},streaming.store_features=false"
        return self._start("run", "--env", "exec_2x1", "--pipelines", "streaming", "--params", params)

    def look(self) -> bool:
        """Starts again what was killed; returns whether the run has ended well.

        Raises:
            UserError: If it has ended otherwise.
        """
        if self.server.poll() not in (None, 0):
            self.server = self._serve()
        status = self.run.poll()
        if status == -signal.SIGKILL:
            self.run, self.runs = self._learn(), self.runs + 1
        elif status not in (None, 0):
            raise UserError(f"The run ended with status {status}: {self._last_words()}")
        return status == 0

    def learned(self) -> int:
        """Frames that are committed."""
        return committed(self._landing)

    def kill(self, role: str) -> bool:
        """Kills a process; returns whether there was one."""
        ours = {"driver": self.run, "server": self.server}
        found = [ours[role]] if role in ours else self._below(role)
        for process in found[:1]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
            return True
        return False

    def _below(self, role: str) -> list[psutil.Process]:
        """Processes of a role that belong to this study; not their guardians, whose command holds theirs."""
        word = {"receiver": "receive", "executor": "CoarseGrainedExecutorBackend"}[role]
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "ppid"]):
            command = process.info["cmdline"] or []
            mine = str(self.folder) in f"{process.info['cwd']} {' '.join(command)}"
            if mine and any(part == word or part.endswith(f".{word}") for part in command):
                found.append(process)
        parents = {process.info["ppid"] for process in found}
        return [process for process in found if process.pid not in parents]

    def close(self) -> None:
        """Ends what still runs."""
        for process in (self.run, self.server):
            if process.poll() is None:
                process.kill()
            process.wait()
        self._log.close()

    def _last_words(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text(encoding="utf-8")[-1500:]


def measure(arguments: argparse.Namespace, step: Step) -> list[Result]:
    """Learns a stream without and with kills, both by the commands that people type.

    Raises:
        UserError: If a run fails, nothing is learned for too long, or the stream is over before anything was killed.
    """
    images = BATCH * FRAMES_PER_KILL * arguments.kills
    params = _params(arguments, images)
    with _project() as folder:
        step(f"Learning {images:,} images of the source {arguments.source} without a kill.")
        _until_ended(Study(folder, params, None, "straight"))
        expected = weights(folder)
        wrong = miscounted(folder / "straight", expected, images)
        rng = np.random.default_rng(arguments.seed)
        roles = [role for _ in range(-(-arguments.kills // len(ROLES))) for role in rng.permutation(ROLES)]
        study = Study(folder, params, INTERVAL, "killed")
        seconds = _until_ended(study, roles[: arguments.kills], rng, step)
        if not seconds:
            raise UserError(
                f"{images:,} images were learned before any process was killed. Give more --kills, for which more are sent."
            )
        found = weights(folder)
        wrong += miscounted(folder / "killed", found, images)
    same = expected.keys() == found.keys() and all(
        np.array_equal(expected[name], found[name], equal_nan=expected[name].dtype.kind == "f") for name in expected
    )
    notes = [
        f"{len(seconds)} of {arguments.kills} kills: {', '.join(f'{role} {taken:.1f} s' for role, taken in seconds)}; the run began {study.runs} times.",
        f"{len({name.split('/')[0] for name in expected})} learners have {'the same' if same else 'OTHER'} weights, bit for bit; {images:,} images sent, "
        f"{'; '.join(wrong) or 'each of which landed and was learned once'}.",
    ]
    return [
        Result(
            NAME,
            "s to go on",
            [taken for _, taken in seconds],
            notes=notes,
            holds=same and not wrong and len(seconds) == arguments.kills,
        )
    ]


def _params(arguments: argparse.Namespace, images: int) -> str:
    """The source, the sizes and the extractor, as they are given on a command line."""
    # Both commands run in a folder of their own.
    paths = {"source_path": arguments.source_path, "weights_path": arguments.weights_path}
    given: dict[str, object] = {"source": arguments.source, "train_size": images, "test_size": TEST_IMAGES}
    given |= {name: str(Path(path).resolve()) for name, path in paths.items() if path}
    given["extractor"] = arguments.extractor
    if arguments.input_size:
        given["input_size"] = arguments.input_size
    if arguments.extractor == "kmeans_patches":
        given["features.options.kmeans_patches.centroids"] = arguments.centroids or CENTROIDS
    if arguments.source == "synthetic":
        given["source_options.train_images"] = images
    return params_text(given)


@contextmanager
def _project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for part in ("src", "conf"):
            shutil.copytree(PROJECT_PATH / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT_PATH / "pyproject.toml", folder)
        yield folder


def _until_ended(
    study: Study, roles: list[str] | None = None, rng: np.random.Generator | None = None, step: Step | None = None
) -> list[tuple[str, float]]:
    """Waits until a run has ended; kills meanwhile, at random times, and returns how long it took each time to go on."""
    seconds = []
    try:
        for role in roles or ():
            if not _wait(lambda: study.learned() > 0, study):
                break
            time.sleep(float(rng.uniform(0, 3)))
            # Who has just been started again may not be there yet.
            if not _wait(lambda role=role: study.kill(role), study):
                break
            before, killed = study.learned(), time.monotonic()
            if not _wait(lambda before=before: study.learned() > before, study):
                break
            seconds.append((role, time.monotonic() - killed))
            step(f"Killed the {role} after frame {before}: went on after {seconds[-1][1]:.1f} s.")
        _wait(lambda: False, study)
    finally:
        study.close()
    return seconds


def _wait(is_there: Callable[[], bool], study: Study) -> bool:
    """Waits until something is there; returns False if the run has ended before.

    Raises:
        UserError: If nothing is learned for too long.
    """
    moved, known = time.monotonic(), study.learned()
    while not is_there():
        if study.look():
            return False
        if (now := study.learned()) != known:
            known, moved = now, time.monotonic()
        if time.monotonic() - moved > PATIENCE_S:
            raise UserError(f"For {PATIENCE_S:.0f} s nothing was learned after frame {known}.")
        time.sleep(0.1)
    return True


def miscounted(landing: Path, learned: Mapping[str, np.ndarray], images: int) -> list[str]:
    """What is wrong with the images that landed and were learned, in words; nothing where each of them is there once.

    Args:
        landing: Where their frames landed.
        learned: What `weights` gives; one of the learners counts its images.
        images: How many were sent, each once.
    """
    files = [*landing.glob("*.parquet"), *(landing / LEARNED).glob("*.parquet")]
    landed = [image_id for file in files for image_id in pq.read_table(file, columns=["image_id"])[0].to_pylist()]
    counted = int(learned[COUNTS].sum())
    wrong = []
    if len(landed) != images or len(set(landed)) != images:
        wrong.append(f"{len(landed):,} LANDED in {landing.name}, {len(set(landed)):,} of them different")
    if counted != images:
        wrong.append(f"{counted:,} LEARNED from {landing.name}")
    return wrong


def weights(folder: Path) -> dict[str, np.ndarray]:
    """All arrays of the newest version of every learner below a folder."""
    found: dict[str, np.ndarray] = {}
    for model in sorted((folder / "data" / "06_models").rglob("stream_*.npz")):
        if model.is_dir():
            newest = max(model.glob(f"*/{model.name}"))
            with np.load(newest, allow_pickle=False) as arrays:
                found |= {f"{model.stem}/{name}": arrays[name] for name in arrays if name != "description"}
    return found
