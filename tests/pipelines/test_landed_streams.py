"""Which stream has landed in a folder, and which of its frames are put where a query finds them."""

import shutil

import pytest
from tests.factories.course import ANEW
from tests.factories.learners import block

from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.streaming import nodes, query
from cifar_pipelines.pipelines.streaming.query import put_in_place, require_same_stream
from cifar_pipelines.pipelines.streaming.specification import stream_of
from cifar_pipelines.records.digest import study_digest
from cifar_pipelines.streaming.journal import COMMITTED, Journal, Producer, commit, committed
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage


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


def test_frames_are_put_where_a_query_finds_those_that_are_to_be_learned(tmp_path):
    for number in (1, 2, 3):
        (tmp_path / f"{number:010d}.parquet").touch()
    put_in_place(tmp_path, 3)
    assert [int(file.stem) for file in tmp_path.glob("*.parquet")] == [3]
    put_in_place(tmp_path, 2)
    assert sorted(int(file.stem) for file in tmp_path.glob("*.parquet")) == [2, 3]


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


def test_a_query_begins_without_the_notes_of_another(tmp_path):
    notes = tmp_path / "_checkpoint"
    (notes / "commits").mkdir(parents=True)  # of a run that was killed
    with query._notes_of_spark(tmp_path) as place:
        assert place == f"file://{notes}" and not notes.exists()
        (notes / "offsets").mkdir(parents=True)
    assert not notes.exists()
