"""`kedro predict` and `kedro score`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifar_pipelines.common.commands import Command, ConfSourceOption, ParamsOption
from cifar_pipelines.common.contents import content_of
from cifar_pipelines.common.words import counted, one_line

if TYPE_CHECKING:
    from cifar_pipelines.judging.metrics import Confusion
    from cifar_pipelines.prediction.run import Predicted

LISTED = 20  # classes of the summary


@click.command(cls=Command)
@click.argument("model")
@click.argument("folder", required=False)
@click.option(
    "--text", "-t", "texts", multiple=True, help="A text to predict, in place of a folder; may be given several times."
)
@click.option("--version", help="The run that saved the model; default: the newest.")
@click.option("--env", "-e", help="Environment with the parallelism setting, such as exec_2x1.")
@click.option(
    "--params", cls=ParamsOption, help="What the model learned from, such as source=cifar10; on_bad_image=skip."
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The CSV to write; default: one in data/.")
@click.option("--conf-source", cls=ConfSourceOption)
def predict(
    model: str,
    folder: str | None,
    texts: tuple[str, ...],
    version: str | None,
    env: str | None,
    params: str,
    output: Path | None,
) -> None:
    r"""Predict the images, or the texts, of a FOLDER with a saved MODEL, into a CSV: image, label, probability.

    MODEL is a name, such as logistic_regression, or the path of a saved model. Of its versions the newest is taken; where
    models of that name learned from different images or features, they are listed. FOLDER is searched at any depth; for
    texts it may be a file: a CSV or Parquet table with the column text, or one text on every line.

    \b
        kedro predict logistic_regression ~/photographs --env exec_2x1
        kedro predict airbench_bigdl new/ --params source=cifar10,train_size=20000 --output labels.csv
        kedro predict logistic_regression --text "This movie was really amazing!" --params source=imdb
    """
    from cifar_pipelines.prediction.request import Request
    from cifar_pipelines.prediction.run import run_request
    from cifar_pipelines.spark.process import require_spark

    require_spark()
    record, predicted, target = run_request(Request(model, folder, version, env, params, output, texts))
    noun = content_of(vars(record.data)).noun
    click.echo(f"Model: {record.model} of {record.run_id}, trained on {counted(record.data.train_size, noun)}")
    if texts:
        _show_texts(texts, predicted, record.data.class_names)
    else:
        _show(predicted, noun)
    if target is not None:
        click.echo(f"Predictions: {target}")


def _show_texts(texts: Sequence[str], predicted: "Predicted", class_names: Sequence[str]) -> None:
    """Prints label and probability of every class for each text; texts that were left out are named."""
    at = {name: row for row, name in enumerate(predicted.rows["image"])}
    for number, text in enumerate(texts, start=1):
        name = str(number)
        if name not in at:
            click.echo(f"left out: {one_line(text, 80)!r} ({predicted.bad[name]})")
            continue
        row = at[name]
        shares = zip(class_names, predicted.probabilities[row], strict=True)
        said = ", ".join(f"{one} {share:.4f}" for one, share in sorted(shares, key=lambda pair: -pair[1])[:LISTED])
        click.echo(f"{one_line(text, 80)!r}: {predicted.rows['label'][row]} ({said})")


def _show(predicted: "Predicted", noun: str) -> None:
    """Prints how many images are of each class, and which could not be decoded."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    speed = len(predicted.rows) / predicted.seconds
    table = Table(
        "class", f"{noun}s", "mean probability",
        title=f"{counted(len(predicted.rows), noun)} in {predicted.seconds:.1f} s, {speed:.0f}/s",
    )  # fmt: skip
    classes = predicted.rows.groupby("label")["probability"].agg(["size", "mean"]).sort_values("size", ascending=False)
    for label, row in classes.head(LISTED).iterrows():
        table.add_row(escape(label), f"{row['size']:.0f}", f"{row['mean']:.2f}")
    console = Console()
    console.print(table)
    if len(classes) > LISTED:
        console.print(f"and {counted(len(classes) - LISTED, 'more class', 'more classes')}")
    for name, reason in predicted.bad.items():
        console.print(f"left out: {name} ({reason})", markup=False, soft_wrap=True)


@click.command(cls=Command)
@click.argument("predictions")
@click.argument("truth")
@click.option("--against", help="A second CSV of predictions of the same images, to be tested against the first.")
def score(predictions: str, truth: str, against: str | None) -> None:
    """Judge a CSV of PREDICTIONS by a CSV of the TRUTH that has become known: accuracy with its interval, F1, confusions.

    PREDICTIONS is what `kedro predict` or a run wrote (image, label, probability); TRUTH has the columns image and label.
    They are joined by image. The scores are written beside the predictions.
    """
    from cifar_pipelines.prediction import score as scoring

    file, known = scoring.checked_file(predictions, "PREDICTIONS"), scoring.checked_file(truth, "TRUTH")
    scored = scoring.score(file, known)
    _show_scores(scored.metrics, scored.confusions, len(scored.without_prediction))
    if against is not None:
        counts, p = scoring.compare(scored, scoring.score(scoring.checked_file(against, "--against"), known))
        click.echo(
            f"Against {against}: {counts.difference:+.1%} ({counts.only_first} images only here right, {counts.only_second} "
            f"only there), McNemar's p {p:.3g}."
        )
    click.echo(f"Scores: {scoring.write_scores(scored, file)}")


def _show_scores(metrics: dict[str, Any], confusions: Sequence["Confusion"], without: int) -> None:
    accuracy = metrics["accuracy"]
    click.echo(
        f"Accuracy: {accuracy['value']:.1%} ({accuracy['low']:.1%} to {accuracy['high']:.1%}) of "
        f"{counted(metrics['n'], 'image')}; macro F1 {metrics['f1_macro']:.3f}."
    )
    if without:
        click.echo(f"Not judged: {counted(without, 'image')} with a truth and without a prediction.")
    for one in confusions:
        share = f"{one.share:.1%} of {one.true}"
        click.echo(f"  {one.true} taken for {one.predicted}: {counted(one.times, 'time')} ({share})")
