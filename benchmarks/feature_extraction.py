"""Feature extraction on Spark against plain PyTorch, with as many threads as the executors have cores.

`feature_extraction` compares with a bare loop over the same network in the same precision: it shows what
Spark itself costs. `usual_way` compares with the code that one finds in most notebooks: it shows what
choosing input size, precision and batch well is worth.
"""

import io
import time
from collections.abc import Iterable
from statistics import median
from typing import Any

from benchmarks.result import Bar, Result
from benchmarks.workload import RANDOM_WEIGHTS, Step, Workload
from cifar_pipelines.backbones import InputSpec, create_backbone
from cifar_pipelines.common.images import decode, resize
from cifar_pipelines.extractors import FeatureFunction

USUAL_BATCH, USUAL_IMAGES = 64, 256

BARE, USUAL = "feature_extraction", "usual_way"
BARS = {BARE: Bar(0.80, at_least=True), USUAL: Bar(5, at_least=True)}


def measure(work: Workload, images: int, repeats: int, names: Iterable[str], step: Step) -> list[Result]:
    """Extracts the same images on Spark and with PyTorch in this process, in turn.

    Spark's clock starts when images are cached and workers are warm, as in the features pipeline. The
    references read the same encoded images from a list, and their clock covers what Spark's tasks do too:
    decoding, resizing and the forward pass.

    Args:
        work: The workload.
        images: Training images to extract.
        repeats: Rounds; in each one all sides run once.
        names: `feature_extraction`, `usual_way` or both.
        step: Called with a sentence at every step.
    """
    import torch

    table = work.first_images(images)
    encoded = [bytes(row["image"]) for row in table.select("image").collect()]
    torch.set_num_threads(work.cores)
    usual = usual_network(work) if USUAL in names else None
    bare, spark_speeds, one_thread, cold = None, [], [], None
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats):
        step(f"Extraction, round {repeat + 1} of {repeats}: Spark.")
        features, info, record = work.extract(table)
        features.unpersist()
        seconds = record["timings"]["extract_s"][0]
        spark_speeds.append(len(encoded) / seconds)
        cold = cold or len(encoded) / (seconds + record["timings"]["worker_start_up_s"])
        if BARE in names:
            step(f"Extraction, round {repeat + 1} of {repeats}: bare loop in {info['precision']}.")
            if bare is None:
                bare = work.extractor.build(work.state, info["precision"])
                bare_loop(work, bare, encoded[: work.spec.micro_batch])
            speeds[BARE].append(bare_loop(work, bare, encoded))
            torch.set_num_threads(1)
            one_thread.append(bare_loop(work, bare, encoded[: -(-len(encoded) // 4)]))
            torch.set_num_threads(work.cores)
        if usual is not None:
            step(f"Extraction, round {repeat + 1} of {repeats}: usual way.")
            if not speeds[USUAL]:
                usual_loop(*usual, encoded[:USUAL_BATCH])
            speeds[USUAL].append(usual_loop(*usual, encoded[:USUAL_IMAGES]))
    network = [_describe(info)]
    if RANDOM_WEIGHTS in info["weights"]:
        network.append("Random weights, which have the same speed.")
    notes = {}
    if BARE in names:
        ideal = median(one / work.cores / other for one, other in zip(spark_speeds, one_thread, strict=True))
        notes[BARE] = [
            f"Cold, with the start of the Python workers: {cold:,.0f} images/s in the first round; "
            f"warm: {median(spark_speeds):,.0f} images/s. The aim is a ratio of 0.95.",
            f"Bare loop with one thread: {median(one_thread):,.0f} images/s; Spark's share of {work.cores} times "
            f"that: {ideal:.2f}. Threads within a network scale worse than processes side by side, so that this "
            "share is the stricter one.",
        ]
    if USUAL in names:
        notes[USUAL] = [
            f"Reference: fp32, {usual[1].size} px, batches of {USUAL_BATCH}, PIL resize, network unfused, one process."
        ]
    return [Result(name, "images/s", spark_speeds, speeds[name], BARS[name], network + notes[name]) for name in speeds]


def bare_loop(work: Workload, features: FeatureFunction, encoded: list[bytes]) -> float:
    """Images per second of the project's own network in a plain loop."""
    square, micro_batch = work.extractor.square, work.spec.micro_batch
    started = time.perf_counter()
    for start in range(0, len(encoded), micro_batch):
        features(resize([decode(image) for image in encoded[start : start + micro_batch]], square))
    return len(encoded) / (time.perf_counter() - started)


def usual_network(work: Workload) -> tuple[Any, InputSpec]:
    """The unfused fp32 network without its head, as most people build it, and what its weights expect of an image."""
    import torch

    backbone = create_backbone(work.extractor.name)
    weights = torch.load(io.BytesIO(work.state["weights"]), weights_only=True)
    return backbone.build(None, weights).eval(), backbone.input_spec(work.extractor.weights)


def usual_features(model: Any, expected: InputSpec) -> FeatureFunction:
    """Features of uint8 images (n, 3, h, w) by the network of `usual_network`."""
    import torch

    def features(images: Any) -> Any:
        with torch.no_grad():
            return model(expected.normalise(images)).flatten(1).numpy()

    return features


def usual_loop(model: Any, expected: InputSpec, encoded: list[bytes]) -> float:
    """Images per second of fp32, batches of 64 at the size of the weights, and one PIL resize per image."""
    import torch
    from PIL import Image
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.Resize((expected.size, expected.size)),
            transforms.ToTensor(),
            transforms.Normalize(expected.mean, expected.std),
        ]
    )
    started = time.perf_counter()
    with torch.no_grad():
        for start in range(0, len(encoded), USUAL_BATCH):
            batch = encoded[start : start + USUAL_BATCH]
            model(torch.stack([transform(Image.open(io.BytesIO(image)).convert("RGB")) for image in batch]))
    return len(encoded) / (time.perf_counter() - started)


def _describe(info: dict[str, Any]) -> str:
    return (
        f"{info['extractor']} at {info['input_size']} px in {info['precision']}, micro-batch "
        f"{info['micro_batch']}, {info['rows']} images, {info['setting']}."
    )
