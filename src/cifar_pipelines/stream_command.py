"""`kedro stream`: images over TCP, the folder where they land, and a saved model that predicts them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_pipelines.common.commands import ConfSourceOption, Group, ParamsOption
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from cifar_pipelines.sources import ImageSource

SPLITS = ("train", "validation", "test", "predict")
HOST, PORT = "127.0.0.1", 6100
LANDING = "data/01_raw/stream"


@click.group(cls=Group)
def stream() -> None:
    """Send images over TCP, and let them land for incremental learning.

    In one terminal `kedro stream serve --rate 500`, in another `kedro stream receive`. docs/streaming.md explains both.
    """


@stream.command()
@click.option("--split", type=click.Choice(SPLITS), default="train", show_default=True, help="Which images.")
@click.option(
    "--batch-size", type=int, default=128, show_default=True, help="Images of a frame, which is learned at once."
)
@click.option("--rate", type=float, help="Images per second; default: as fast as they are taken.")
@click.option("--interval", type=float, help="Seconds from one frame to the next, instead of --rate.")
@click.option("--epochs", type=int, help="How often all images are sent, each time in another order.  [default: 1]")
@click.option("--endless", is_flag=True, help="Send them again and again, instead of --epochs.")
@click.option(
    "--scenario", default="iid", show_default=True, help="In which order: a file of scenarios/, such as drift."
)
@click.option("--scenario-options", default="", help="Its own options name=value, joined by commas, such as at=0.3.")
@click.option(
    "--host", default=HOST, show_default=True, help="Where to listen. Beyond this machine only with a secret."
)
@click.option("--port", type=int, default=PORT, show_default=True, help="Likewise; 0 takes a free one and says which.")
@click.option("--name", help="Tells this producer from others that send to one receiver; default: the source's.")
@click.option(
    "--params", cls=ParamsOption, help="Which images, as for `kedro run`: source, source_path, train_size, ..."
)
@click.option("--conf-source", cls=ConfSourceOption)
def serve(
    split: str, batch_size: int, rate: float | None, interval: float | None, epochs: int | None, endless: bool,
    scenario: str, scenario_options: str, host: str, port: int, name: str | None, params: str,
) -> None:  # fmt: skip
    r"""Send the images of a source, batch by batch, to whoever connects.

    The images are those that `kedro run` takes with the same parameters, in an order that seed and scenario
    decide. Nothing is dropped: a client says how far it has room, and the server waits. A client that was away goes on
    after its last frame, also when the server was started anew with the same command. The server ends when a client has
    everything.

    \b
        kedro stream serve --rate 500
        kedro stream serve --interval 2 --endless --params source=cifar10,train_size=50000
        nc 127.0.0.1 6100        # then type {"after": 0, "until": 1}

    Beyond loopback, both sides need the same secret in CIFAR_STREAM_SECRET:

    \b
        export CIFAR_STREAM_SECRET=$(openssl rand -hex 32)
        kedro stream serve --host 0.0.0.0
    """
    from cifar_pipelines.common.params import parse_params
    from cifar_pipelines.streaming.connection import Patience
    from cifar_pipelines.streaming.image_stream import ImageStream
    from cifar_pipelines.streaming.pace import Pace
    from cifar_pipelines.streaming.server import Service, StreamServer
    from cifar_pipelines.streaming.shared_secret import secret_of

    if endless and epochs is not None:
        raise UserError("--endless and --epochs are both given, and each says how long to send. Give one of them.")
    pace, secret = Pace(rate, interval), secret_of()
    source, images, seed = _images(split, params)
    how_often = None if endless else 1 if epochs is None else epochs
    order = (seed, how_often, scenario, parse_params(scenario_options))
    served = ImageStream(name or source.name, source, images, batch_size, *order)
    served.check_size()
    with StreamServer(Service(served, pace, secret, Patience()), host, port, click.echo) as server:
        in_all = "endlessly" if endless else f"{served.last:,} in all"
        click.echo(
            f"Serving {served.name!r} on {server.address}: {counted(len(served.images), 'image')}, {counted(served.frames_per_epoch, 'frame')} an epoch, "
            f"{in_all}. Stop with Ctrl-C; the same command goes on."
        )
        server.serve()
    click.echo("A client has the whole stream.")


@stream.command()
@click.argument("servers", nargs=-1)
@click.option("--into", type=click.Path(path_type=Path), default=LANDING, show_default=True, help="Where frames land.")
@click.option(
    "--max-backlog", default=64, show_default=True, help="Frames that may wait for the learner; then servers wait."
)
@click.option("--away", default=60.0, show_default=True, help="Seconds that a server may be away.")
def receive(servers: tuple[str, ...], into: Path, max_backlog: int, away: float) -> None:
    r"""Let the streams of SERVERS (host:port, default 127.0.0.1:6100) land as Parquet files for a learner.

    A frame is checked, written for good and only then acknowledged, so that each lands once, whatever is killed; the
    same command goes on. Damaged frames are asked for again. The receiver ends when all streams have ended.

    \b
        kedro stream receive
        kedro stream receive 127.0.0.1:6100 127.0.0.1:6101 --into data/01_raw/two_streams
    """
    from cifar_pipelines.streaming.connection import Patience
    from cifar_pipelines.streaming.receiver import Receiver, read_address
    from cifar_pipelines.streaming.shared_secret import secret_of

    addresses = [read_address(text) for text in servers or (f"{HOST}:{PORT}",)]
    receiver = Receiver(addresses, into, max_backlog, secret_of(), Patience(away=away), click.echo)
    receiver.run()
    click.echo(f"All streams have ended; their frames are in {into}.")


@stream.command()
@click.argument("model")
@click.argument("servers", nargs=-1)
@click.option(
    "--landing", type=click.Path(path_type=Path), default=LANDING, show_default=True, help="Where frames land."
)
@click.option("--version", help="The run that saved the model; default: the newest.")
@click.option("--env", "-e", help="Environment with the parallelism setting, such as exec_2x1.")
@click.option(
    "--params", cls=ParamsOption, help="What the model learned from, such as source=cifar10; on_bad_image=skip."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The CSV that grows; default: one in data/.")
@click.option("--conf-source", cls=ConfSourceOption)
def predict(
    model: str, servers: tuple[str, ...], landing: Path, version: str | None, env: str | None, params: str, output: Path | None,
) -> None:  # fmt: skip
    r"""Predict every image of a stream with a saved MODEL, into a CSV that grows: image, label, probability.

    MODEL is chosen as `kedro predict` does. The frames are those that SERVERS send meanwhile, or that `kedro stream receive` lets
    land. Every image has one row, in the order of the stream, whatever is killed; the same command goes on. It ends with the
    stream.

    \b
        kedro stream predict stream_ridge --env exec_2x1
        kedro stream predict airbench_bigdl 127.0.0.1:6100 --landing data/01_raw/to_predict --output labels.csv
    """
    from cifar_pipelines.prediction.request import Request
    from cifar_pipelines.prediction.stream import StreamRequest, predict_stream
    from cifar_pipelines.spark.process import require_spark

    require_spark()
    request = StreamRequest(Request(model, str(landing), version, env, params, output), servers)
    record, csv = predict_stream(request)
    click.echo(f"Model: {record.model} of {record.run_id}, trained on {counted(record.data.train_size, 'image')}")
    for name, reason in csv.bad.items():
        click.echo(f"left out: {name} ({reason})")
    click.echo(f"Predictions of {counted(csv.predicted, 'image')}: {csv.target}")


def _images(split: str, params: str) -> tuple["ImageSource", "pd.DataFrame", int]:
    """Where the images are, those of a split that a run with these parameters takes (`image_id`, `label`), and the seed."""
    from cifar_pipelines.common.contents import IMAGE, require_content
    from cifar_pipelines.common.options import build
    from cifar_pipelines.common.params import parse_params
    from cifar_pipelines.pipelines.ingestion.nodes import SubsetSpec, index_source, select_images
    from cifar_pipelines.pipelines.ingestion.validation import ValidationSpec
    from cifar_pipelines.sources import open_source
    from cifar_pipelines.spark.environment import checked_configuration

    parameters = checked_configuration(None, parse_params(params))["parameters"]
    data, subset = parameters["data"], build(SubsetSpec, parameters["subset"], "the subset")
    validation = build(ValidationSpec, parameters["validation"], "validation")
    source = open_source(data["source"], data["path"], data["options"])
    source.check()
    require_content(source.content, IMAGE, "A stream", "Name a source of images: --params source=cifar10.")
    manifest = select_images(index_source(source), subset, validation)
    images = manifest.loc[manifest["split"] == split, ["image_id", "label"]].reset_index(drop=True)
    return source, images, subset.seed
