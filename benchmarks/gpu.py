"""What a GPU makes of the networks of the studies: `python -m benchmarks.gpu`, on a host with one; neither Spark nor Kedro is needed.

Images/s (or tokens/s) of a step of training, forward, backward and AdamW, on random pixels that lie on the card, with random
weights, which have the speed of trained ones: for each network in float32 and bf16, in both layouts, compiled or not, and for
batches that double until the card is full. One line of JSON a measurement.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import click

NETWORKS = (
    "torchvision:resnet18",
    "torchvision:resnet101",
    "torchvision:inception_v3",
    "torchvision:efficientnet_b1",
    "torchvision:vgg16",
    "torchvision:vit_b_16",
    "torchvision:mobilenet_v2",
    "torchvision:squeezenet1_1",
)
CLASSES = 131  # of Fruits-360
BATCHES = (64, 256, 1024)
REFERENCE_BATCH = 256  # at which precision, layout and compilation are compared
WARM_UP, LEAST_S = 5, 1.0
ALBERT = {  # the configuration of albert-base-v2
    "vocab_size": 30000, "embedding_size": 128, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
TOKENS = (128, 256, 512)
TEXTS = 32  # a batch


@dataclass(frozen=True)
class Case:
    """One way to train a network.

    Attributes:
        network: Its name.
        batch: Images, or texts, of a step.
        size: Pixels of height and width, or tokens.
        precision: "fp32" (with TF32 in matrix products), or "bf16".
        layout: "nhwc" (channels last) or "nchw".
        compiled: Whether torch.compile has made one program of it.
    """

    network: str
    batch: int
    size: int
    precision: str = "bf16"
    layout: str = "nhwc"
    compiled: bool = False


def cases(networks: Sequence[str], compiled: bool) -> Iterator[Case]:
    """The cases of networks of images, as the module's docstring says."""
    from cifar_pipelines.backbones import create_backbone

    for name in networks:
        size = create_backbone(name).published_input(None).size
        for batch in BATCHES:
            yield Case(name, batch, size)
        for precision, layout in product(("fp32", "bf16"), ("nchw", "nhwc")):
            if (precision, layout) != ("bf16", "nhwc"):
                yield Case(name, REFERENCE_BATCH, size, precision, layout)
        if compiled:
            yield Case(name, REFERENCE_BATCH, size, compiled=True)


def albert_cases() -> Iterator[Case]:
    """ALBERT-base with as many tokens as texts usually are given."""
    for tokens, precision in product(TOKENS, ("fp32", "bf16")):
        yield Case("transformers:albert-base-v2", TEXTS, tokens, precision)


def measure(case: Case) -> dict[str, Any]:
    """Items/s, ms a step and the most memory of the card in GiB; `failed` says why there are none."""
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    try:
        began = time.perf_counter()
        step = _step_of(case)
        for _ in range(WARM_UP):
            step()
        torch.cuda.synchronize()
        ready_s = time.perf_counter() - began
        step_s = _seconds(step)
    except torch.cuda.OutOfMemoryError:
        return asdict(case) | {"failed": "more memory than the card has"}
    unit = "tokens_per_s" if case.network.startswith("transformers:") else "images_per_s"
    items = case.batch * (case.size if unit == "tokens_per_s" else 1)
    return asdict(case) | {
        unit: round(items / step_s),
        "step_ms": round(1000 * step_s, 2),
        "memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        "ready_s": round(ready_s, 1),
    }


def _seconds(step: Any) -> float:
    """Seconds of a step: of as many as fill a second."""
    import torch

    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < LEAST_S:
        for _ in range(5):
            step()
        torch.cuda.synchronize()
        done += 5
    return (time.perf_counter() - began) / done


def _step_of(case: Case) -> Any:
    """A function that takes one step of training."""
    import torch
    from torch.nn.functional import cross_entropy

    from cifar_pipelines.backbones import training_loss
    from cifar_pipelines.training.device import Device

    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    network, inputs = _albert(case) if case.network.startswith("transformers:") else _images(case)
    called = torch.compile(network) if case.compiled else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    targets = torch.arange(case.batch, device="cuda") % 2
    device = Device("cuda:0", "nccl")

    def step() -> None:
        with device.autocast(case.precision):
            output = called(inputs)
        loss = training_loss(output, lambda logits: cross_entropy(logits.float(), targets))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def _images(case: Case) -> tuple[Any, Any]:
    import torch

    from cifar_pipelines.backbones import create_backbone

    layout = torch.channels_last if case.layout == "nhwc" else torch.contiguous_format
    network = create_backbone(case.network).build(CLASSES).train().to("cuda", memory_format=layout)
    pixels = torch.rand((case.batch, 3, case.size, case.size), device="cuda").contiguous(memory_format=layout)
    return network, pixels


def _albert(case: Case) -> tuple[Any, Any]:
    import torch
    from transformers import AlbertConfig, AlbertModel

    from cifar_pipelines.backbones.text_network import text_network

    network = text_network(AlbertModel(AlbertConfig(**ALBERT)), "pooler", 0, 2).train().cuda()
    return network, torch.randint(1, ALBERT["vocab_size"], (case.batch, case.size), device="cuda")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures all cases that time allows, and prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--networks", nargs="+", default=list(NETWORKS), help="names such as timm:tf_efficientnet_lite1"
    )
    parser.add_argument("--compiled", action="store_true", help="torch.compile too, which takes minutes")
    parser.add_argument("--seconds", type=float, default=600, help="no case is begun after so many")
    parser.add_argument("--output", type=Path, help="a file for the JSON lines")
    given = parser.parse_args(arguments)
    import torch

    if not torch.cuda.is_available():
        click.echo("torch sees no GPU on this host. Run this on one that has one.", err=True)
        return 1
    click.echo(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    began, rows = time.monotonic(), []
    planned = [
        *cases(given.networks, False),
        *albert_cases(),
        *(one for one in cases(given.networks, given.compiled) if one.compiled),
    ]
    for case in planned:
        if time.monotonic() - began > given.seconds:
            click.echo(
                f"{len(planned) - len(rows)} of {len(planned)} cases are left out: {given.seconds:.0f} s are over."
            )
            break
        rows.append(measure(case))
        click.echo(json.dumps(rows[-1]))
        if given.output:
            given.output.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
