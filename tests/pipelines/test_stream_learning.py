"""What a stream's learners do with micro-batches, without Spark."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.factories.images import encode_image
from tests.factories.learners import MODELS, block
from tests.factories.records import make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.tables import lists_of
from cifar_pipelines.datasets import LearnedModelDataset
from cifar_pipelines.extractors.kmeans_patches import KMeansPatches
from cifar_pipelines.incremental.commit import Commits, digest
from cifar_pipelines.incremental.learned import LearnedModel
from cifar_pipelines.incremental.training import Frames, Law
from cifar_pipelines.judging.prequential import SCORES
from cifar_pipelines.learners import LearningTask, create_learner
from cifar_pipelines.pipelines.features.worker import ExtractionJob
from cifar_pipelines.pipelines.streaming import nodes
from cifar_pipelines.pipelines.streaming.family import FAMILY
from cifar_pipelines.pipelines.streaming.findings import findings
from cifar_pipelines.pipelines.streaming.frame_features import extract_frames
from cifar_pipelines.pipelines.streaming.learning import Course, DriverEngine, MicroBatches
from cifar_pipelines.pipelines.streaming.query import put_in_place
from cifar_pipelines.pipelines.streaming.saved import predict_batches
from cifar_pipelines.pipelines.streaming.specification import LearnerSpec
from cifar_pipelines.records.run_record import RunRecord

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


class KilledError(Exception):
    pass


class DyingCommits(Commits):
    """Commits of a process that is killed in one of them, before or after it is there."""

    def __init__(self, folder, killed_in=None, after=False):
        super().__init__(folder, {"course": 1})
        self.left, self.after = killed_in, after

    def save(self, *given):
        dies = self.left == 0
        if not dies or self.after:
            super().save(*given)
        if dies:
            raise KilledError
        if self.left is not None:
            self.left -= 1


def take(commits, groups):
    """Takes micro-batches, from first to last frame each, by a process that goes on from the commits."""
    commit, reached = commits.latest(), []
    batches = MicroBatches(
        DriverEngine(COURSE, commit),
        commits,
        lambda given: given,
        reached.append,
        commit.next_sequence if commit else 1,
    )
    commits.rows(batches.next_sequence)
    for number, group in enumerate(groups):
        try:
            batches(frames(*group), number)
        except KilledError:
            assert isinstance(batches.failure, KilledError) and not batches.is_busy
            raise
    assert reached[-1] == 5 == batches.next_sequence - 1
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
    found = findings(rows_of_phases({0: [5, 5, 9, 1], 1: [10, 0, 10, 0], 3: [4, 6, 0, 10]}), None, 1)
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
    found = findings(rows_of_phases(tests), None, per_phase)
    assert found["forgetting"] is None and found["forgetting_reason"].startswith(reason)


def test_drift_is_looked_for_where_it_is_asked_for():
    rows = pd.DataFrame(
        {
            "first": [0, 2000], "images": 2000, "label": [[0] * 2000] * 2,
            "prediction": [[0] * 2000, [1] * 2000], "holdout_confusion": None, "n": 4000, **dict.fromkeys(SCORES, 0.5),
        }
    )  # fmt: skip
    (first, *_) = findings(rows, 0.002, None)["drift_alarms"]
    assert 2000 < first < 2100


def frame_rows(*images):
    """Images of frame 7 as Spark hands them to a task, two in a unit."""
    count = len(images)
    return pa.RecordBatch.from_pydict(
        {
            "sequence": [7] * count, "position": range(count), "epoch": [0] * count, "label": [1] * count,
            "image_id": [f"train/{number}" for number in range(count)], "image": list(images),
            "unit": [number // 2 for number in range(count)],
        }
    )  # fmt: skip


@pytest.fixture
def job():
    extractor = KMeansPatches(input_size=8, centroids=3, patch_size=2, patches=100, mirror=False)
    state = extractor.prepare([encode_image(size=(8, 8 + seed)) for seed in range(5)], 0)
    return ExtractionJob("test of frames", extractor, lambda: state, "fp32", 2)


def test_images_that_cannot_be_decoded_are_neither_judged_nor_learned_where_that_is_wanted(job):
    good = [encode_image(size=(8, 8 + seed)) for seed in range(4)]
    whole = pa.Table.from_batches(extract_frames([frame_rows(*good)], job, 12, "skip")).to_pandas()
    batches = extract_frames([frame_rows(good[0], b"no image", good[2]), frame_rows(b"", b"")], job, 12, "skip")
    table = pa.Table.from_batches(batches).to_pandas()
    assert table["damaged"].tolist() == [0, 1, 0, 1, 1]
    assert table["label"].isna().tolist() == [False, True, False, True, True]
    assert np.array_equal(table["features"][0], whole["features"][0]) and not np.any(table["features"][1])


def test_an_image_that_cannot_be_decoded_is_named(job):
    with pytest.raises(
        UserError, match=r"The image 'train/1' of frame 7 cannot be decoded \(.*\)\. Give --params on_bad_image=skip"
    ):
        list(extract_frames([frame_rows(encode_image(), b"no image")], job, 12, "fail"))


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
        ({"classes_per_phase": 0}, "streaming.classes_per_phase is 0"),
        ({"servers": "nowhere"}, "'nowhere' is not <host>:<port>"),
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
    with pytest.raises(UserError, match=r"model.npz cannot be read \(.*\): it is damaged"):
        FAMILY.predictor(record)
