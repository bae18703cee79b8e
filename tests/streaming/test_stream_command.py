import re
import signal

import psutil
import pytest
from click.testing import CliRunner
from tests.factories.processes import alive, command, descendants_of, finish, read_until, wait_until
from tests.factories.streaming import frames_in, landed_rows
from tests.factories.texts import write_reviews

from cifar_pipelines.stream_command import _images, stream
from cifar_pipelines.streaming.supervision import SupervisedReceiver

FEW = "source=synthetic,train_size=60,test_size=20"


def said_by(*arguments, **environment):
    result = CliRunner().invoke(stream, arguments, env=environment)
    assert result.exit_code == 1, result.output
    return result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--endless", "--epochs", "2"), "--endless and --epochs are both given"),
        (("--rate", "5", "--interval", "1"), "--rate and --interval are both given"),
        (("--rate", "0"), "--rate is 0, but must be more than 0"),
        (("--epochs", "0"), "The number of epochs is 0"),
        (("--scenario", "drift", "--scenario-options", "at=2"), "'at' of the scenario 'drift' is 2.0"),
        (("--split", "predict"), "There are no images to send"),
        (("--host", "0.0.0.0", "--port", "0"), "can be reached from other machines"),
        (("--params", "source_path=somewhere"), "reads no files, so the source_path somewhere would be ignored"),
        (("--params", "trainsize=5"), "Unknown parameter 'trainsize'"),
    ],
)
def test_a_server_that_makes_no_sense_does_not_start(arguments, words):
    assert words in said_by("serve", "--params", FEW, *arguments)


def test_texts_are_not_served(tmp_path):
    said = said_by(
        "serve", "--params", f"source=text_folder,source_path={write_reviews(tmp_path)},train_size=8,test_size=4"
    )
    assert "A stream takes images, but the source holds texts." in said


def test_a_receiver_that_makes_no_sense_does_not_start(tmp_path):
    into = ("--into", str(tmp_path))
    assert "The address 'here' is not <host>:<port>" in said_by("receive", "here", *into)
    assert "The backlog is 0, but must be a whole number" in said_by("receive", "--max-backlog", "0", *into)
    assert "may be away is nan, but must be a number" in said_by("receive", "--away", "nan", *into)
    assert "CIFAR_STREAM_SECRET has 5 signs" in said_by("receive", *into, CIFAR_STREAM_SECRET="short")


@pytest.mark.parametrize("command", ["serve", "receive"])
def test_examples_in_the_help_stand_on_lines_of_their_own(command):
    help = CliRunner().invoke(stream, [command, "--help"]).output
    assert re.search(rf"^ +kedro stream {command}( --rate 500)?$", help, re.MULTILINE) and "\\b" not in help


def test_the_images_are_those_of_a_run():
    source, images, seed = _images("train", f"{FEW},seed=7")
    assert (source.name, len(images), seed) == ("synthetic", 60, 7)
    assert sorted(images["label"].value_counts()) == [6] * 10
    assert all(image_id.startswith("test/") for image_id in _images("test", FEW)[1]["image_id"])


def test_images_of_validation_are_not_among_those_of_training():
    params = f"{FEW},validation.share=0.1,source_options.train_images=100"
    train, held_out = (set(_images(split, params)[1]["image_id"]) for split in ("train", "validation"))
    assert len(train) == 60 and len(held_out) == 10 and not train & held_out


@pytest.fixture
def serving(start_kedro):
    """Returns a function that starts a server of 60 images by fours, and returns it with the port that it took."""

    def serve(port, *options):
        paced = ("--port", port, "--batch-size", "4", "--rate", "30", "--params", FEW)
        server = start_kedro("stream", "serve", *paced, *options)
        said = read_until(server, "Stop with Ctrl-C")
        return server, re.search(r"on 127.0.0.1:(\d+): 60 images, 15 frames", said)[1]

    return serve


@pytest.mark.e2e
def test_ctrl_c_ends_a_server_and_a_receiver_without_a_traceback_and_both_go_on(serving, start_kedro, tmp_path):
    server, port = serving("0", "--endless")
    into = ("stream", "receive", f"127.0.0.1:{port}", "--into", str(tmp_path))
    receiver = start_kedro(*into)
    assert wait_until(lambda: len(frames_in(tmp_path)) > 2, 30)
    for process in (receiver, server):
        process.send_signal(signal.SIGINT)
        said = finish(process)
        assert process.returncode == 1 and "Aborted!" in said and "Traceback" not in said
    landed = len(frames_in(tmp_path))
    (server, _), receiver = serving(port, "--endless"), start_kedro(*into)
    assert wait_until(lambda: len(frames_in(tmp_path)) > landed + 2, 30)
    for process in (receiver, server):
        process.send_signal(signal.SIGINT)
        finish(process)
    rows = landed_rows(tmp_path)
    assert [row["sequence"] for row in rows] == [number // 4 + 1 for number in range(len(rows))]


@pytest.mark.e2e
def test_a_receiver_that_is_killed_and_a_server_that_is_killed_go_on(serving, tmp_path):
    folder = tmp_path / "landing"
    server, port = serving("0")
    with SupervisedReceiver([f"127.0.0.1:{port}"], folder, 64, 60, tmp_path / "receiver.log") as receiver:
        assert wait_until(lambda: len(frames_in(folder)) > 2, 30)
        (child,) = [process for process in descendants_of(receiver._process) if "receive" in command(process)]
        child.kill()
        server.send_signal(signal.SIGKILL)
        finish(server)
        server, _ = serving(port)
        assert wait_until(lambda: receiver.has_ended, 60), (tmp_path / "receiver.log").read_text()
        assert receiver.restarts == 1
        assert "A client has the whole stream." in finish(server)
    assert not alive([child]) and not psutil.pid_exists(receiver._process.pid)
    rows = landed_rows(folder)
    assert len({row["image_id"] for row in rows}) == len(rows) == 60
    assert [row["sequence"] for row in rows] == [number // 4 + 1 for number in range(60)]
