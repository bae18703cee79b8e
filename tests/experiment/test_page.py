import io
import json
import shutil
import socket
import struct
import time
from http.client import HTTPConnection

import pytest
from rich.console import Console
from tests.factories.browser import browse, needs_browser
from tests.factories.records import make_record

from cifar_pipelines.common.places import place
from cifar_pipelines.experiment import page
from cifar_pipelines.experiment.expected import ExpectedSeconds
from cifar_pipelines.experiment.page import Watched, serve_page
from cifar_pipelines.experiment.plan import Experiment, Step
from cifar_pipelines.experiment.progress import Progress

EXPERIMENT = Experiment(("exec_1x1",), ("ingestion", "bigdl_cnn"), 1, "bigdl_cnn.engines=bigdl,train_size=60")
STEPS = [*EXPERIMENT.steps(), Step("exec_1x1", ("comparison",), "", "report")]


@pytest.fixture(scope="module")
def expected():
    return EXPERIMENT.expected()


@pytest.fixture
def watched(tmp_path, monkeypatch, expected):
    monkeypatch.setattr(page, "PROJECT_PATH", tmp_path)
    monkeypatch.setattr(Experiment, "expected", lambda self: expected)
    monkeypatch.setattr(page, "FAREWELL_S", 0.05)
    seconds = {"ingestion": 10, "bigdl_cnn": 60, "comparison": 20}
    return Watched(EXPERIMENT, Progress(Console(file=io.StringIO()), STEPS, ExpectedSeconds(seconds)))


def end_step(watched, result):
    progress = watched._progress
    with progress.running(progress._lines[progress._at].step, str):
        pass
    progress.ended("done", 7.0, result)


def leave_a_record(folder):
    """What a training leaves: a record, and a plot."""
    digest = EXPERIMENT.expected()["bigdl_cnn"]["airbench_bigdl"]
    score = {"accuracy": {"value": 0.976, "low": 0.9, "high": 1.0}}
    content = make_record("airbench_bigdl", (1, 1), [12.5], family="bigdl_cnn", configuration=digest, metrics=score)
    file = folder / place("run_records") / "exec_1x1/airbench_bigdl.json/v1/airbench_bigdl.json"
    plot = folder / place("reporting_folder") / "synthetic/airbench_bigdl/learning_curve.png/v1/learning_curve.png"
    for one, text in ((file, json.dumps(content).encode()), (plot, b"PNG")):
        one.parent.mkdir(parents=True)
        one.write_bytes(text)


def get(address, path, host=None, tag=None, method="GET"):
    connection = HTTPConnection(address.split("/")[2])
    connection.request(
        method, path, headers={"Host": host or address.split("/")[2]} | ({"If-None-Match": tag} if tag else {})
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def test_the_page_tells_steps_table_and_plots_as_they_come(watched, tmp_path):
    with serve_page(watched) as address:
        status, headers, content = get(address, "/")
        assert (
            status == 200
            and b"<title>Experiment" in content
            and "default-src 'none'" in headers["Content-Security-Policy"]
        )
        first = json.loads(get(address, "/state")[2])
        assert [step["status"] for step in first["steps"]] == ["to come"] * 3 and first["left"] == "about 2 min left"
        end_step(watched, "4 images")
        leave_a_record(tmp_path)
        end_step(watched, "airbench_bigdl 97.6%")
        second = json.loads(get(address, "/state")[2])
        assert second["steps"][0] == {"name": "images", "status": "done", "seconds": 7, "result": "4 images"}
        assert second["table"] == [{"model": "airbench_bigdl", "setting": "exec_1x1", "right": 0.976, "seconds": 12.5}]
        assert second["plots"] == [{"name": "learning curve", "of": "airbench_bigdl"}]
        assert get(address, "/plot/0")[2] == b"PNG" and not second["report"]
        report = tmp_path / place("comparison_html")
        report.parent.mkdir(parents=True)
        report.write_bytes(b"<p>report")
        assert get(address, "/report.html")[2] == b"<p>report"


def test_a_state_that_the_browser_has_is_not_sent_again(watched):
    with serve_page(watched) as address:
        tag = get(address, "/state")[1]["ETag"]
        status, _, content = get(address, "/state", tag=tag)
        assert (status, content) == (304, b"")
        end_step(watched, "4 images")
        assert get(address, "/state", tag=tag)[0] == 200


def test_nothing_else_is_served(watched):
    asked = (
        "/../pyproject.toml",
        "/plot/../../pyproject.toml",
        "/plot/-1",
        "/plot/99",
        "/plot/",
        "/report.html",
        "/data",
    )
    with serve_page(watched) as address:
        assert {get(address, path)[0] for path in asked} == {404}
        assert get(address, "/", method="POST")[0] == 501


def test_a_tab_that_is_closed_and_a_plot_that_is_gone_say_nothing_in_the_terminal(
    watched, tmp_path, capfd, monkeypatch
):
    with serve_page(watched) as address:
        leave_a_record(tmp_path)
        end_step(watched, "done")
        get(address, "/state")
        shutil.rmtree(tmp_path / place("reporting_folder"))
        assert get(address, "/plot/0")[0] == 404
        report = tmp_path / place("comparison_html")
        report.parent.mkdir(parents=True)
        report.write_bytes(b"x" * 10**7)
        with socket.create_connection(("127.0.0.1", int(address.split(":")[2][:-1]))) as tab:
            tab.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it is closed at once
            tab.sendall(f"GET /report.html HTTP/1.1\r\nHost: {address.split('/')[2]}\r\n\r\n".encode())
            tab.recv(10)
        time.sleep(0.3)
    assert "Traceback" not in capfd.readouterr().err


def test_another_name_of_this_host_is_refused(watched):
    """A name that a foreign site had pointed here would let its scripts read the page."""
    with serve_page(watched) as address:
        assert address.startswith("http://127.0.0.1:")
        assert get(address, "/state", host="example.com:80")[0] == 403
        assert get(address, "/state", host=f"localhost:{address.split(':')[2][:-1]}")[0] == 200


def test_the_page_ends_with_the_experiment_and_says_so_to_a_browser_that_looks_on(watched, monkeypatch):
    with serve_page(watched) as address:
        began = time.monotonic()
    assert time.monotonic() - began < 1  # nobody looked on
    with pytest.raises(OSError):
        get(address, "/")


def look_on(watched, home, looks):
    """The page as a headless browser has it, in which time runs ahead whenever the page waits; its console has to stay empty.

    Before the state is told for the nth time, the nth of the functions is called.
    """
    tell, asked = watched.state, []

    def state():
        if len(asked) < len(looks):
            looks[len(asked)]()
        asked.append(tell())
        return asked[-1]

    watched.state = state
    with serve_page(watched) as address:
        shown = browse(address, home, "--virtual-time-budget=9000", "--dump-dom")
    assert len(asked) >= len(looks)
    return shown


@needs_browser
def test_a_browser_shows_what_changes_without_being_asked(watched, tmp_path):
    def change():
        leave_a_record(tmp_path)
        end_step(watched, "4 images <b>of</b> cats")

    shown = look_on(watched, tmp_path, [str, change, str])
    assert "4 images &lt;b&gt;of&lt;/b&gt; cats" in shown and "1 of 3 steps, about a minute left" in shown
    assert "97.6 %" in shown and 'alt="airbench_bigdl: learning curve"' in shown


@needs_browser
def test_at_the_end_the_page_turns_into_the_report(watched, tmp_path):
    def end():
        report = tmp_path / place("comparison_html")
        report.parent.mkdir(parents=True)
        report.write_bytes(b"<style>p { color: red }</style><p>What came of it</p><img src='data:,'>")
        watched.over = True

    assert "<p>What came of it</p>" in look_on(watched, tmp_path, [str, end])
