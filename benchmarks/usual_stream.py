"""The usual way to learn from a stream of images, in one loop, as the stream's benchmark measures itself against.

Its design is that of courses and public projects: a socket that sends a batch as one line of JSON with a key for every number of an
image, `feature0` to `feature3071`; a loop that takes whatever lines have come, as a micro-batch of DStreams does; images resized one by
one, features in full precision, and scikit-learn's `partial_fit` with its scores on the driver, one model after the other.
"""

import json
import multiprocessing
import socket
import time
from collections.abc import Sequence

import numpy as np

from cifar_pipelines.common.images import decode
from cifar_pipelines.extractors import FeatureFunction

LOOPBACK = ("127.0.0.1", 0)


def usual_speed(
    features: FeatureFunction, size: int, encoded: Sequence[bytes], labels: np.ndarray, classes: int, batch: int
) -> float:
    """Images per second of the usual way, without its pauses.

    Args:
        features: Makes features of uint8 images (n, 3, size, size).
        size: Pixels that images are resized to.
        encoded: Image files of 32 pixels.
        labels: Their labels.
        classes: How many classes there are.
        batch: Images of a line.
    """
    models = _models()
    processes = multiprocessing.get_context("fork")
    ears, told = processes.Pipe(duplex=False)
    sender = processes.Process(target=_send, args=(told, encoded, labels, batch), daemon=True)
    sender.start()
    started, learned = time.perf_counter(), 0
    with socket.create_connection(ears.recv()) as client, client.makefile("r") as lines:
        for line in lines:
            learned += _learn(line, size, features, models, classes)
    sender.join()
    return learned / (time.perf_counter() - started)


def _send(told: object, encoded: Sequence[bytes], labels: np.ndarray, batch: int) -> None:
    with socket.create_server(LOOPBACK) as server:
        told.send(server.getsockname())
        client, _ = server.accept()
        with client:
            for start in range(0, len(encoded), batch):
                rows = [decode(image).reshape(-1).tolist() for image in encoded[start : start + batch]]
                images = {
                    number: {f"feature{place}": value for place, value in enumerate(row)} | {"label": int(label)}
                    for number, (row, label) in enumerate(zip(rows, labels[start:], strict=False))
                }
                client.sendall((json.dumps(images) + "\n").encode())


def _models() -> list:
    from sklearn.linear_model import SGDClassifier
    from sklearn.neural_network import MLPClassifier

    return [MLPClassifier((256,)), SGDClassifier(loss="log_loss")]


def _learn(line: str, size: int, features: FeatureFunction, models: list, classes: int) -> int:
    """Learns a line, then judges the models by it."""
    import torch
    from PIL import Image
    from sklearn.metrics import accuracy_score, log_loss, precision_score, recall_score

    images = json.loads(line).values()
    pixels, y = [], []
    for image in images:
        y.append(image.pop("label"))
        square = np.array(list(image.values()), np.uint8).reshape(32, 32, 3)
        pixels.append(np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR)))
    x = features(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))
    known = np.arange(classes)
    for model in models:
        model.partial_fit(x, y, classes=known)
        probability = model.predict_proba(x)
        found = probability.argmax(axis=1)
        accuracy_score(y, found), log_loss(y, probability, labels=known)
        (
            precision_score(y, found, average="macro", zero_division=0),
            recall_score(y, found, average="macro", zero_division=0),
        )
    return len(y)
