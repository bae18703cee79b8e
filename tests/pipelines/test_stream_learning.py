"""What a stream's learners do with micro-batches, without Spark."""

import errno
import json
import re
import shutil
import tracemalloc
from dataclasses import replace
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.factories.learners import MODELS, block
from tests.factories.records import make_record

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.locks import alone
from cifar_pipelines.common.own_code import CodeError, whole
from cifar_pipelines.common.tables import lists_of
from cifar_pipelines.datasets import LearnedModelDataset
from cifar_pipelines.incremental.commit import Commits
from cifar_pipelines.incremental.learned import LearnedModel
from cifar_pipelines.incremental.states import digest
from cifar_pipelines.incremental.training import Frames, Law, StreamTraining
from cifar_pipelines.judging.drift import DELTA
from cifar_pipelines.judging.prequential import SCORES
from cifar_pipelines.learners import LearningTask, create_learner, find
from cifar_pipelines.pipelines.streaming import learn_node, learning, nodes, query
from cifar_pipelines.pipelines.streaming.family import FAMILY
from cifar_pipelines.pipelines.streaming.findings import findings
from cifar_pipelines.pipelines.streaming.learning import LOG, Course, DriverEngine, MicroBatches, Taken, failed
from cifar_pipelines.pipelines.streaming.query import put_in_place, require_same_stream
from cifar_pipelines.pipelines.streaming.saved import predict_batches
from cifar_pipelines.pipelines.streaming.specification import Expected, LearnerSpec, images_text, stream_of
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.streaming import journal
from cifar_pipelines.streaming.journal import COMMITTED, Journal, Producer, commit, committed
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage

SIZES = (20, 7, 33, 24, 36)
N = sum(SIZES)
RNG = np.random.default_rng(1)
LABELS = RNG.integers(0, 3, N)
IMAGES = (3 * np.eye(3, 5)[LABELS] + RNG.normal(0, 1, (N, 5))).astype(np.float32)
SEQUENCE = np.repeat(np.arange(1, 6), SIZES)
POSITION = np.concatenate([np.arange(size) for size in SIZES])
LEARNERS = {
    "stream_ridge": LearnerSpec("ridge", {}, "Exact."),
    "stream_mlp": LearnerSpec("mlp", {"hidden": 6, "replay": 30, "batch_size": 8}, "Remembers."),
}
COURSE = Course(
    LEARNERS, LearningTask(("cat", "dog", "fox"), 5, 2), Law(block=16, holdout_every=2), (IMAGES[:9], LABELS[:9]), 1
)


def frames(first, last):
    rows = (first <= SEQUENCE) & (last >= SEQUENCE)
    return Frames(SEQUENCE[rows], POSITION[rows], np.zeros(rows.sum(), int), IMAGES[rows], LABELS[rows])


def times_of(given):
    sequence, images = np.unique(given.sequence, return_counts=True)
    return pd.DataFrame({"sequence": sequence, "images": images, "scheduled_at": 1.0, "sent_at": 1.0, "landed_at": 1.0})


class KilledError(Exception):
    pass


class DyingCommits(Commits):
    """Commits of a process that is killed in one of them, before or after it is there."""

    def __init__(self, folder, killed_in=None, after=False):
        super().__init__(folder, {"course": 1})
        self.left, self.after = killed_in, after

    def keep(self, *given):
        dies = self.left == 0
        if not dies or self.after:
            super().keep(*given)
        if dies:
            raise KilledError
        if self.left is not None:
            self.left -= 1


def take(commits, groups):
    """Takes micro-batches, from first to last frame each, by a process that goes on from the commits."""
    commit, reached = commits.latest(), []
    batches = MicroBatches(
        DriverEngine(COURSE, commits, commit),
        commits,
        lambda given: (given, times_of(given)),
        lambda sequence: reached.append(sequence) or 0,
        commit.next_sequence if commit else 1,
        list(LEARNERS),
        commit.failures if commit else {},
    )
    commits.rows(batches.next_sequence)
    for number, group in enumerate(groups):
        try:
            batches(frames(*group), number)
        except KilledError:
            assert isinstance(batches.failure, KilledError) and not batches.is_busy
            raise
    assert reached[-1] == 5 == batches.next_sequence - 1
    log = batches.log()
    assert list(log) == LOG
    assert log["sequence"].tolist() == list(range(commit.next_sequence if commit else 1, 6))
    assert (log["committed_at"] > log["scheduled_at"]).all() and not log["live"].any()
    states, rows = batches.finish()
    rows = pd.concat([commits.rows(6), rows], ignore_index=True)
    return {name: digest(state) for name, state in states.items()}, rows


def without_times(rows):
    return rows.drop(columns="seconds").sort_values(["model", "first"], ignore_index=True)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("killed_in", [0, 1, 2])
def test_a_run_that_is_killed_goes_on_with_the_same_bits_and_rows(killed_in, after, tmp_path):
    states, rows = take(DyingCommits(tmp_path / "straight"), [(1, 5)])
    with pytest.raises(KilledError):
        take(DyingCommits(tmp_path / "killed", killed_in, after), [(1, 2), (3, 3), (4, 5)])
    again, rows_again = take(DyingCommits(tmp_path / "killed"), [(1, 3), (2, 5)])
    assert again == states
    pd.testing.assert_frame_equal(without_times(rows_again), without_times(rows), check_dtype=False)
    assert (rows.groupby("model")["images"].sum() == N).all()


def test_rows_that_are_gone_are_noticed(tmp_path):
    commits = DyingCommits(tmp_path)
    take(commits, [(1, 2), (3, 3), (4, 5)])
    assert (learn_node._rows(commits, 6, list(LEARNERS)).groupby("model")["images"].sum() == 112).all()
    assert set(learn_node._rows(commits, 6, ["stream_mlp"])["model"]) == {"stream_mlp"}
    sorted((tmp_path / "rows").iterdir())[1].unlink()
    with pytest.raises(
        UserError, match=r"nothing is there of what was said of images before image \d+ of stream_\w+ while"
    ):
        learn_node._rows(commits, 6, list(LEARNERS))


@pytest.fixture
def failing(monkeypatch):
    """Returns a function that makes a class of learners fail at its first block."""

    def fail(kind):
        learn = kind._learn

        def learn_or_fail(self, x, y):
            if self.blocks == 0:
                raise ZeroDivisionError("too few features")
            learn(self, x, y)

        monkeypatch.setattr(kind, "_learn", learn_or_fail)

    return fail


@pytest.mark.parametrize("killed_in", [None, 1])
def test_a_learner_that_fails_by_itself_stops_no_other(killed_in, tmp_path, failing, caplog):
    expected, _ = take(DyingCommits(tmp_path / "straight"), [(1, 5)])
    failing(find("mlp"))
    groups, folder = [(1, 2), (3, 3), (4, 5)], tmp_path / "one"
    if killed_in is not None:
        with pytest.raises(KilledError):
            take(DyingCommits(folder, killed_in, after=True), groups)
        groups = groups[killed_in + 1 :]
    found, rows = take(DyingCommits(folder), groups)
    assert found == {"stream_ridge": expected["stream_ridge"]}
    assert rows.loc[rows["model"] == "stream_ridge", "images"].sum() == N
    failures = DyingCommits(folder).latest().failures
    (why,) = failures.values()
    assert why.startswith(
        "at frame 1 or just after it, ZeroDivisionError: too few features (learners/__init__.py, line "
    )
    assert f"stream_mlp failed ({why}) and is left out" in caplog.text
    said = str(failed(failures, ["stream_ridge"]))
    assert "stream_mlp failed (at frame 1" in said and "streaming.selected=stream_ridge" in said


def test_a_state_that_a_disk_does_not_give_is_no_failure_of_its_learner(tmp_path, monkeypatch):
    take(DyingCommits(tmp_path), [(1, 5)])
    commits = DyingCommits(tmp_path)

    def learn(model="stream_mlp"):
        return learning._take_in_task(COURSE, model, commits.newest_folder(), None, tmp_path)

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    taken = learn()
    assert taken.draft is not None and not taken.failure
    with monkeypatch.context() as patch:
        patch.setattr(learning, "load_state", broken)
        with pytest.raises(OSError, match="Input/output error"):
            learn()
    monkeypatch.setattr(find("mlp"), "load", broken)  # its own code
    assert "Input/output error" in learn().failure and not learn("stream_ridge").failure


@pytest.fixture
def landing(tmp_path):
    """Returns a function that lets frames of a stream land in an empty folder, and ends it."""

    def land(digest, last, name="one"):
        folder = tmp_path / "landing"
        shutil.rmtree(folder, ignore_errors=True)
        with Landing(folder, 100, ["here"]) as landing:
            landing.admit(name, {"digest": digest}, "here")
            for number in range(1, last + 1):
                landing.land(name, Frame(number, 0, 1.0, 1.0, (StreamImage("0.png", 0, b""),)))
            landing.end(name, last)
        return folder

    return land


FULL = r"_committed.json cannot be written: No space left on device. Free some space"
ANEW = "--params streaming.resume=false"


def test_commits_know_whose_stream_they_are_of(tmp_path):
    commits = DyingCommits(tmp_path)
    commits.producers = {"one": "digest"}
    take(commits, [(1, 5)])
    assert DyingCommits(tmp_path).latest().producers == {"one": "digest"}
    (said,) = (file for file in tmp_path.glob("*/commit.json"))
    older = json.loads(said.read_text())
    del older["producers"]
    said.write_text(json.dumps(older))
    assert DyingCommits(tmp_path).latest().producers == {}


def test_states_of_other_versions_are_refused_by_name_unless_learning_begins_anew(tmp_path):
    take(DyingCommits(tmp_path), [(1, 5)])
    assert DyingCommits(tmp_path).latest().next_sequence == 6
    (said,) = tmp_path.glob("*/commit.json")
    kept = json.loads(said.read_text())
    for name in ("numpy", "scipy", "scikit-learn", "torch"):
        said.write_text(json.dumps(kept | {"versions": kept["versions"] | {name: "0.1"}}))
        with pytest.raises(UserError, match=rf"with {name} 0.1 \(now {re.escape(version(name))}\), .* {ANEW}"):
            DyingCommits(tmp_path).latest()
    stream = stream_of(block(tmp_path / "stream", resume=False, engine="driver"))
    assert learn_node._begin(None, COURSE, stream, DyingCommits(tmp_path), None).next_sequence == 1


def test_an_older_commit_that_does_not_know_all_versions_goes_on(tmp_path):
    take(DyingCommits(tmp_path), [(1, 5)])
    (said,) = tmp_path.glob("*/commit.json")
    kept = json.loads(said.read_text())
    for versions in ({}, {"numpy": version("numpy")}):
        said.write_text(json.dumps(kept | {"versions": versions}))
        assert DyingCommits(tmp_path).latest().next_sequence == 6
    del kept["versions"]
    said.write_text(json.dumps(kept))
    assert DyingCommits(tmp_path).latest().next_sequence == 6


def test_another_stream_is_never_taken_for_the_one_that_was_learned(landing):
    require_same_stream(landing("digest", 3), 2, {"one": "digest"}, ANEW)
    with pytest.raises(UserError, match=r"2 frames were taken from .*, which now holds another stream of 'one'"):
        require_same_stream(landing("other", 3), 2, {"one": "digest"}, ANEW)
    with pytest.raises(UserError, match=r"which now holds no stream of 'one'.* streaming.resume=false"):
        require_same_stream(landing("digest", 3, "two"), 2, {"one": "digest"}, ANEW)
    require_same_stream(landing("other", 3), 2, {}, ANEW)  # as older commits have it
    with pytest.raises(UserError, match=r"4 frames were taken from .*, where only 3 have landed"):
        require_same_stream(landing("digest", 3), 4, {"one": "digest"}, ANEW)


def test_a_frame_that_was_learned_before_the_journal_had_it_counts(landing):
    folder = landing("digest", 3)
    Journal(2, 0, {"one": Producer("digest", [], last=2)}).write(folder)
    require_same_stream(folder, 3, {"one": "digest"}, ANEW)


def test_which_stream_has_landed_is_part_of_what_a_result_depends_on(landing, tmp_path):
    parameters = load_configuration("exec_2x1")["parameters"]

    def digest_of(folder, **changes):
        given = parameters | {"streaming": block(folder, **changes)}
        return study_digest(given, "streaming", "stream_ridge", "embedded")

    nothing = digest_of(tmp_path / "landing")
    found = [digest_of(landing(*given)) for given in (("digest", 3), ("digest", 6), ("other", 3), ("digest", 3))]
    assert len({nothing, *found}) == 4 and found[0] == found[3]
    assert digest_of(tmp_path / "landing", serve=50.0) == nothing  # which other parameters say


def test_a_record_says_which_stream_it_was_and_what_was_drawn_anew(landing):
    def params(folder, **changes):
        return nodes.describe("stream_ridge", stream_of(block(folder, **changes)), None, None).params

    plain = params(landing("digest", 3))
    assert plain["stream.one"] == "3 frames (digest digest)" and "augmentation" not in plain
    assert plain != params(landing("other", 3))
    assert params(landing("digest", 3), augmentation="crop+flip") == plain | {"augmentation": ["crop", "flip"]}


def test_where_every_learner_that_is_asked_for_had_failed_before_no_engine_is_asked(tmp_path):
    engine = SimpleNamespace(take=lambda given, models: pytest.fail("no models are left"))
    batches = MicroBatches(engine, Commits(tmp_path, {}), None, None, 3, ["stream_mlp"], {"stream_mlp": "it broke"})
    with pytest.raises(CodeError, match=r"stream_mlp failed \(it broke\)"):
        batches.finish()


def cannot_be_made(self, task, *, hidden=6, replay=30, batch_size=8):
    raise KeyError("nothing")


def gives_no_state(self):
    raise KeyError("nothing")


@pytest.mark.parametrize(("name", "fails"), [("__init__", cannot_be_made), ("state", gives_no_state)])
def test_nor_does_one_that_cannot_be_made_or_gives_no_state(name, fails, tmp_path, monkeypatch):
    monkeypatch.setattr(find("mlp"), name, fails)
    found, _ = take(DyingCommits(tmp_path), [(1, 2), (3, 5)])
    assert set(found) == {"stream_ridge"}
    assert "KeyError: 'nothing'" in DyingCommits(tmp_path).latest().failures["stream_mlp"]


def test_where_every_learner_fails_the_run_ends_and_its_log_has_the_tracebacks(tmp_path, failing):
    for name in ("mlp", "ridge"):
        failing(find(name))
    with pytest.raises(CodeError, match=r"stream_ridge failed .*; stream_mlp failed .* learn anew with") as error:
        take(DyingCommits(tmp_path), [(1, 2), (3, 5)])
    assert len(str(error.value).splitlines()) == 1
    assert whole(error.value).count('raise ZeroDivisionError("too few features")') == 2


def test_what_a_micro_batch_leaves_in_memory_is_small():
    macro = {f"window_{name}_macro": 0.5 for name in ("precision", "recall", "f1")}
    row = {"model": "stream_ridge", "seconds": 0.1, "window_accuracy": 0.5, "window_log_loss": 0.5} | macro
    engine = SimpleNamespace(take=lambda given, models: [Taken("stream_ridge", None, [row])])
    commits = SimpleNamespace(keep=lambda *given: None)
    batches = MicroBatches(
        engine, commits, lambda given: (given, times_of(given)), lambda sequence: 0, 1, ["stream_ridge"], {}
    )  # fmt: skip

    def take_some(first, last):
        for number in range(first, last):
            one = np.full(1, number)
            batches(Frames(one, one * 0, one * 0, IMAGES[:1], one * 0), number)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before, after = take_some(1, 50), take_some(50, 250)
    finally:
        tracemalloc.stop()
    assert len(batches.log()) == 249 and (after - before) / 200 < 1000  # bytes


def rows_of_phases(tests):
    """Blocks of ten images in two phases of one class each; the counts of the tests by number of the block."""
    return pd.DataFrame(
        {
            "first": range(0, 40, 10), "images": 10, "label": [[0] * 10] * 2 + [[1] * 10] * 2,
            "prediction": [[0] * 10] * 2 + [[0] * 10, [1] * 10],
            "holdout_confusion": [tests.get(number) for number in range(4)],
            "n": 40, "accuracy": 0.75, **dict.fromkeys(SCORES[1:], 0.5),
        }
    )  # fmt: skip


def test_forgetting_is_told_from_the_last_test_of_every_phase():
    found = findings(
        rows_of_phases({0: [5, 5, 9, 1], 1: [10, 0, 10, 0], 3: [4, 6, 0, 10]}), Expected(classes_per_phase=1)
    )
    assert found["forgetting"]["accuracies"] == [[1.0, 0.0], [0.4, 1.0]]
    assert found["forgetting"]["backward_transfer"] == pytest.approx(-0.6)
    assert found["prequential"]["accuracy"] == 0.75 and found["drift_alarms"] is None


@pytest.mark.parametrize(
    ("tests", "per_phase", "reason"),
    [
        ({0: [1, 0, 0, 1]}, 1, "No test on held-out images fell into images 20 to 39"),
        ({0: [1, 0, 0, 1]}, 2, "There is one phase"),
        ({0: [1, 0, 0, 0], 3: [1, 0, 0, 0]}, 1, "A phase has no held-out image"),
    ],
)
def test_where_forgetting_cannot_be_told_the_reason_is(tests, per_phase, reason):
    found = findings(rows_of_phases(tests), Expected(classes_per_phase=per_phase))
    assert found["forgetting"] is None and found["forgetting_reason"].startswith(reason)


def test_drift_is_looked_for_where_it_is_asked_for():
    rows = pd.DataFrame(
        {
            "first": [0, 2000], "images": 2000, "label": [[0] * 2000] * 2,
            "prediction": [[0] * 2000, [1] * 2000], "holdout_confusion": None, "n": 4000, **dict.fromkeys(SCORES, 0.5),
        }
    )  # fmt: skip
    (first, *_) = findings(rows, Expected(0.002))["drift_alarms"]
    assert 2000 < first < 2100
    steady = findings(rows, Expected(0.002, steady=True))
    assert (steady["drift_at"], steady["drift_delay"]) == (None, None)
    assert steady["false_alarms"] == len(steady["drift_alarms"]) > 0
    known = findings(rows, Expected(0.002, drift_at=2000))
    assert (known["drift_delay"], known["false_alarms"]) == (first - 2000, 0)


def test_alarms_are_counted_in_images_of_the_stream_whichever_of_them_are_judged():
    def of(label, prediction, epoch, **expected):
        rows = pd.DataFrame(
            {
                "first": [0], "images": len(label), "label": [label], "epoch": [epoch], "prediction": [prediction],
                "holdout_confusion": None, "n": 1, **dict.fromkeys(SCORES, 0.5),
            }
        )  # fmt: skip
        return findings(rows, Expected(0.002, **expected))

    label, prediction = [0] * 4000, [0] * 2000 + [1] * 2000
    plain = of(label, prediction, [0] * 4000, drift_at=2000)
    late = of([-1] * 500 + label, [0] * 500 + prediction, [0] * 4500, drift_at=2500)
    assert late["drift_alarms"] == [alarm + 500 for alarm in plain["drift_alarms"]]
    assert (late["drift_delay"], late["false_alarms"]) == (plain["drift_delay"], 0)
    twice = of([0] * 4000, prediction, [0] * 2000 + [1] * 2000)  # what a second epoch is like says nothing
    assert twice["drift_alarms"] == []


def test_phases_are_those_of_the_first_epoch():
    tests = {0: [5, 5, 9, 1], 1: [10, 0, 10, 0], 3: [4, 6, 0, 10]}
    rows = rows_of_phases(tests).assign(epoch=[[0] * 10] * 4)
    again = rows_of_phases({3: [10, 0, 10, 0]}).assign(epoch=[[1] * 10] * 4, first=range(40, 80, 10))
    both = pd.concat([rows, again], ignore_index=True)
    expected = findings(rows, Expected(classes_per_phase=1))["forgetting"]
    assert findings(both, Expected(classes_per_phase=1))["forgetting"] == expected
    older = pd.concat([rows_of_phases(tests), again], ignore_index=True)  # the first commits had no epochs
    assert findings(older, Expected(classes_per_phase=1))["forgetting"] == expected


def test_a_test_after_the_last_block_is_a_row_of_its_own(tmp_path):
    course = replace(COURSE, law=Law(block=30, holdout_every=3))  # 120 images are four blocks
    engine = DriverEngine(course, Commits(tmp_path, {}), None)
    batches = MicroBatches(
        engine, Commits(tmp_path, {}), lambda given: (given, times_of(given)), lambda _: 0, 1, list(LEARNERS), {}
    )
    batches(frames(1, 5), 0)
    _, last = batches.finish()
    assert last["images"].tolist() == [0, 0] and last["first"].tolist() == [N, N] and (last["seconds"] > 0).all()
    rows = pd.concat([Commits(tmp_path, {}).rows(6), last], ignore_index=True)
    rows = rows[rows["model"] == "stream_mlp"]
    found = findings(rows, Expected(drift_delta=0.002))
    assert found["images"] == N == found["prequential"]["n"]
    assert found["drift_alarms"] == findings(rows[:-1], Expected(drift_delta=0.002))["drift_alarms"]
    assert rows["holdout_n"].notna().tolist() == [False, False, True, False, True]


SCENARIO = {"drift_at": 70, "phase_classes": [[1, 0], [2, 3]], "label_delay": 0}


@pytest.mark.parametrize(
    ("changes", "scenarios", "expected"),
    [
        ({}, [SCENARIO], Expected(DELTA, 2, 70)),
        ({"drift_delta": 0.1, "classes_per_phase": 3}, [SCENARIO], Expected(0.1, 3, 70)),
        ({}, [{}], Expected()),
        ({"drift_delta": 0.1}, [{"name": "iid", "drift_at": None}], Expected(0.1, steady=True)),
        ({}, [SCENARIO, SCENARIO], Expected()),  # in which order their frames land no scenario says
    ],
)
def test_what_is_not_configured_is_as_the_server_says(changes, scenarios, expected, tmp_path):
    producers = {str(number): Producer("digest", [], scenario) for number, scenario in enumerate(scenarios)}
    assert stream_of(block(tmp_path, **changes)).expected(Journal(producers=producers)) == expected


@pytest.mark.parametrize(
    ("late", "delay", "said"), [(0, 0, ""), (33, 3, ""), (33, 2, "label_delay=3 for"), (1, 0, "label_delay=1 for")]
)
def test_labels_that_are_learned_before_they_come_are_told(late, delay, said, tmp_path):
    stream = stream_of(block(tmp_path, law={"block": 16, "label_delay": delay}))
    words = stream.late_labels(Journal(producers={"one": Producer("digest", [], {"label_delay": late})}))
    assert said in words and bool(said) == bool(words)


@pytest.mark.parametrize(
    ("images", "delay", "said"),
    [
        (120, 0, ""),
        (120, 2, "The labels of the last 40 images of 120 came"),
        (112, 2, "The labels of the last 32 images of 112 came"),
        (120, 7, "No label came before the stream had ended (streaming.law.label_delay is 7 blocks of 16, and 120 images came)"),
        (120, 100, "No label came before"),
    ],
)  # fmt: skip
def test_labels_that_come_after_the_stream_are_learned_at_its_end_and_told(images, delay, said, tmp_path):
    law = {"block": 16, "label_delay": delay}
    words = stream_of(block(tmp_path, law=law)).learned_at_end(images)
    assert said in words and bool(said) == bool(words)
    # And that is what a learner does.
    training = StreamTraining(create_learner("ridge", COURSE.task), Law(**law), None, 1)
    x, label = np.resize(IMAGES, (images, 5)), np.resize(LABELS, images)
    zeros = np.zeros(images, np.int64)
    training.take(Frames(zeros + 1, np.arange(images), zeros, x, label))
    left = len(training.state()["waiting.label"])
    training.finish()
    assert not len(training.state()["waiting.label"])
    assert not delay or f"last {left} images" in words or (left == images and "No label came" in words)


def test_frames_whose_labels_stand_for_other_classes_are_refused(tmp_path):
    stream, journal = stream_of(block(tmp_path)), Journal(producers={"one": Producer("digest", ["dog", "cat"])})
    stream.check_producers(journal, ["dog", "cat"])
    with pytest.raises(UserError, match="The stream 'one' has dog, cat, but the test images have cat, dog"):
        stream.check_producers(journal, ["cat", "dog"])


def test_a_run_that_serves_its_own_images_has_a_folder_of_its_own_for_every_choice_of_them(tmp_path):
    def folder(**given):
        configuration.follow(load_configuration("exec_2x2", given))
        assert images_text().startswith(f"source={given.get('source', 'synthetic')},")
        return nodes.configure_stream(block(tmp_path, serve=50.0)).folder

    try:
        folders = [
            folder(),
            folder(source="animals"),
            folder(source="animals", train_size=70),
            folder(streaming={"engine": "driver"}),
        ]
    finally:
        configuration.follow(None)
    assert all(one.parent == tmp_path for one in folders) and len(set(folders)) == 3 and folders[0] == folders[3]


def test_images_that_a_server_cannot_be_told_are_refused_before_anything_starts():
    configuration.follow(load_configuration("exec_2x2", {"validation": {"group": "(v[0-9]{1,3})/"}}))
    try:
        with pytest.raises(UserError, match=r"cannot hold the comma in validation.group=.v.0-9"):
            images_text()
    finally:
        configuration.follow(None)


def test_a_folder_where_nothing_landed_is_refused_before_spark_starts(tmp_path):
    with pytest.raises(UserError, match=r"No frame has landed in .*--params streaming.servers=127.0.0.1:6100"):
        nodes.configure_stream(block(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "drivers"}, r"Unknown value of streaming.engine 'drivers'\. Did you mean 'driver'"),
        (
            {"selected": "stream_rigde"},
            r"Unknown model of streaming.selected 'stream_rigde'\. Did you mean 'stream_ridge'",
        ),
        ({"frames_per_trigger": 0}, "streaming.frames_per_trigger is 0"),
        ({"patience_s": 0.0}, "streaming.patience_s is 0.0"),
        ({"law": {"block": 0}}, "The option 'block' of the stream is 0"),
        (
            {"models": {"stream_ridge": MODELS["stream_ridge"] | {"learner": "rigde"}}, "selected": "stream_ridge"},
            "Unknown learner 'rigde'",
        ),
        (
            {
                "models": {"stream_ridge": MODELS["stream_ridge"] | {"options": {"penalty": -1.0}}},
                "selected": "stream_ridge",
            },
            "'penalty'",
        ),
        (
            {"models": {"stream_ridge": MODELS["stream_ridge"] | {"justification": " "}}, "selected": "stream_ridge"},
            "justification is empty",
        ),
        ({"drift_delta": 2.0}, "delta of the drift detector is 2.0"),
        ({"augmentation": ["flop"]}, "augmentation 'flop'"),
        ({"classes_per_phase": 0}, "streaming.classes_per_phase is 0"),
        ({"servers": "nowhere"}, "'nowhere' is not <host>:<port>"),
        ({"serve": 0.0}, "streaming.serve is 0.0"),
        ({"serve": 4.0}, "serve is 4, so that a frame of 128 images comes every 32 s, .* given up after 30 s without"),
        (
            {"serve": 9.0, "servers": "127.0.0.1:6100"},
            "streaming.serve is 9.0 and streaming.servers is '127.0.0.1:6100'",
        ),
    ],
)
def test_a_stream_that_cannot_be_is_refused_before_a_run(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        FAMILY.check({"streaming": block(tmp_path, **changes)}, None)


def test_frames_are_put_where_a_query_finds_those_that_are_to_be_learned(tmp_path):
    for number in (1, 2, 3):
        (tmp_path / f"{number:010d}.parquet").touch()
    put_in_place(tmp_path, 3)
    assert [int(file.stem) for file in tmp_path.glob("*.parquet")] == [3]
    put_in_place(tmp_path, 2)
    assert sorted(int(file.stem) for file in tmp_path.glob("*.parquet")) == [2, 3]


def killed(*_):
    raise KilledError


def finds_the_disk_full(file, *_):
    raise OSError(errno.ENOSPC, "No space left on device", str(file))


@pytest.mark.parametrize(
    ("stops", "raised"),
    [(killed, pytest.raises(KilledError)), (finds_the_disk_full, pytest.raises(UserError, match=FULL))],
)
def test_the_room_of_learned_frames_comes_back_where_a_run_stopped_before_it_gave_it_back(
    stops, raised, tmp_path, monkeypatch
):
    stream, commits = stream_of(block(tmp_path / "stream", engine="driver")), Commits(tmp_path / "commits", {})
    folder = stream.folder

    def begin():
        return learn_node._begin(None, COURSE, stream, commits, lambda given: (given, times_of(given)))

    with Landing(folder, 2, ["here"]) as landing:
        landing.admit("one", {"digest": "digest", "classes": COURSE.task.classes}, "here")
        for number in (1, 2):
            landing.land("one", Frame(number, 0, 1.0, 1.0, (StreamImage("0.png", 0, b""),)))
        with monkeypatch.context() as patch, raised:
            patch.setattr(journal, "write_durably", stops)
            begin()(frames(1, 2), 0)
        assert (commits.latest().next_sequence, landing.until("one")) == (3, 2)
        assert begin().next_sequence == 3
        assert landing.until("one") == 4


def test_two_runs_do_not_learn_in_one_place(tmp_path):
    stream, commits = stream_of(block(tmp_path / "stream")), tmp_path / "commits"
    features_info = dict.fromkeys(learn_node.FEATURES)
    refused = rf"Another run learns in {commits}\. Wait until it has ended"
    with alone(commits / "lock", "free"):
        with pytest.raises(UserError, match=refused):
            learn_node.learn(COURSE, stream, features_info, {}, None, commits, tmp_path, None)
        with pytest.raises(UserError, match=refused):
            learn_node.forget_commits(commits, {"run_id": "one"})
    assert learn_node.forget_commits(commits, {"run_id": "one"}) == "one"


def test_what_was_learned_before_is_not_said_to_wait_where_it_is_read_again(tmp_path):
    commit(tmp_path, 5)
    put_in_place(tmp_path, 3)
    assert committed(tmp_path) == 5
    put_in_place(tmp_path / "new", 1)
    assert not (tmp_path / "new" / COMMITTED).exists()


def test_a_file_that_is_no_frame_is_named(tmp_path):
    (tmp_path / "notes.parquet").touch()
    with pytest.raises(UserError, match=r"notes.parquet is no landed frame, .* such as 0000000001.parquet"):
        put_in_place(tmp_path, 1)


def test_a_learned_model_is_the_same_after_a_round_trip(tmp_path):
    learner = create_learner("ridge", LearningTask(("cat", "dog"), 3, 5), {"penalty": 0.5})
    learner.learn(np.eye(3), np.array([0, 1, 0]))
    model = LearnedModel("ridge", {"penalty": 0.5}, learner.task, {"extractor": "e"}, learner.state())
    dataset = LearnedModelDataset(filepath=str(tmp_path / "model.npz"))
    dataset.save(model)
    saved = dataset.load()
    assert (saved.model.task, saved.model.options, saved.model.features) == (model.task, model.options, model.features)
    assert np.array_equal(saved.model.build().predict(np.eye(3)), learner.predict(np.eye(3)))
    assert saved.size_bytes == (tmp_path / "model.npz").stat().st_size


def test_a_saved_learner_predicts_features_of_new_images():
    learner = create_learner("ridge", LearningTask(("cat", "dog"), 3, 5))
    learner.learn(np.eye(3), np.array([0, 1, 0]))
    model = LearnedModel("ridge", {}, learner.task, {}, learner.state())
    x = np.random.default_rng(0).random((5, 3), np.float32)
    rows = pa.RecordBatch.from_arrays([pa.array("abcde"), lists_of(x)], ["image_id", "output"])
    table = pa.Table.from_batches(
        predict_batches([rows.slice(0, 2), rows.slice(2, 0), rows.slice(2)], model)
    ).to_pandas()
    assert "".join(table["image_id"]) == "abcde"
    assert np.allclose(np.stack(table["probability"]), learner.predict(x))
    assert (np.stack(table["probability"]).argmax(axis=1) == table["prediction"]).all()


def test_a_damaged_learner_is_refused_by_its_path(tmp_path):
    (tmp_path / "model.npz").write_bytes(b"nothing")
    record = RunRecord.from_json(make_record("stream_ridge", artifacts={"model": str(tmp_path / "model.npz")}))
    with pytest.raises(UserError, match=r"model.npz cannot be read as a learner \(.*\): it is damaged"):
        FAMILY.predictor(record)


def test_a_query_begins_without_the_notes_of_another(tmp_path):
    notes = tmp_path / "_checkpoint"
    (notes / "commits").mkdir(parents=True)  # of a run that was killed
    with query._notes_of_spark(tmp_path) as place:
        assert place == f"file://{notes}" and not notes.exists()
        (notes / "offsets").mkdir(parents=True)
    assert not notes.exists()


def test_a_line_says_where_the_learners_are(caplog, monkeypatch):
    caplog.set_level("INFO")
    now = [100.0]
    monkeypatch.setattr(learning.time, "monotonic", lambda: now[0])
    progress = learning.Progress()
    macro = {"window_precision_macro": 0.4, "window_recall_macro": 0.5, "window_f1_macro": 0.444}
    row = {"window_accuracy": 0.5, "window_log_loss": 1.25} | macro
    taken = [
        Taken("stream_mlp", None, [{"window_accuracy": 0.1, "window_log_loss": 9.0} | macro, row]),
        Taken("late", None, []),
    ]
    frame = {"sequence": 7, "images": 50, "waiting": 3, "committed_at": 12.5, "scheduled_at": 11.0, "live": True}
    for seconds in (1.0, 3.0):
        now[0] += seconds
        progress(pd.DataFrame([frame]), taken)
    now[0] += 2.0
    progress(pd.DataFrame([frame | {"waiting": 1, "live": False}]), taken)
    of_images = "Of the last images: stream_mlp 50.0%, loss 1.25, macro P/R/F1 40.0/50.0/44.4%."
    assert [record.getMessage() for record in caplog.records] == [
        f"Frame 7, 25 images/s, 3 frames wait, learned 1.5 s after it was due. {of_images}",
        f"Frame 7, 25 images/s, 1 frame waits, landed before this run. {of_images}",
    ]
