"""Frames of a small stream, and a folder in which they land."""

from tests.factories.streaming import make_stream

from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame

STREAM = make_stream()


def frame(number, stream=STREAM):
    return Frame(number, stream.epoch_of(number), 1.0, 2.0, tuple(stream.read(number)))


def open_landing(folder, max_backlog=8, *servers):
    return Landing(folder, max_backlog, servers or ["a:1"])


def admit(opened, name="memory", address="a:1"):
    said = {"digest": STREAM.digest, "classes": ["cat", "dog"], "scenario": {"label_delay": 5}}
    return opened.admit(name, said, address)


def land(opened, *numbers):
    return [opened.land("memory", frame(number)) for number in numbers]
