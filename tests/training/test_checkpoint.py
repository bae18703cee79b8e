import json

import pytest
import torch
from filelock import FileLock

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.checkpoint import Checkpoint, claimed, find_unfinished, forget

CONFIGURATION = {"network": "lenet", "options": {"width": 1}, "recipe": {"epochs": 4, "momentum": 0.9}}
HISTORY = [{"epoch": 1, "loss": 2.5}]
OLD, NEW, NOW = "2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z", "2024-01-03T00.00.00.000Z"


def state(value=1.0, epoch=1):
    return {"epoch": epoch, "network": {"weight": torch.full((2, 2), value)}, "average": None}


@pytest.fixture
def checkpoint(tmp_path):
    begun = Checkpoint(tmp_path / "run")
    begun.begin(CONFIGURATION)
    return begun


@pytest.fixture
def leave(tmp_path):
    """Returns a function that leaves an unfinished training behind."""

    def leave_unfinished(name, configuration=CONFIGURATION, saved=True):
        left = Checkpoint(tmp_path / name)
        left.begin(configuration)
        if saved:
            left.save(state(), HISTORY)
        return left.folder

    return leave_unfinished


def test_a_state_is_loaded_as_it_was_saved(checkpoint):
    checkpoint.save(state(3.0), HISTORY)
    loaded, history = checkpoint.load()
    assert torch.equal(loaded["network"]["weight"], state(3.0)["network"]["weight"])
    assert (loaded["epoch"], loaded["average"], history) == (1, None, HISTORY)
    assert checkpoint.history() == HISTORY and checkpoint.holds_state


def test_before_the_first_epoch_there_is_nothing(checkpoint):
    assert checkpoint.load() is None and checkpoint.history() == [] and not checkpoint.holds_state
    assert checkpoint.failure() is None and checkpoint.reports() == []


def test_a_save_that_was_killed_leaves_the_state_before(checkpoint, monkeypatch):
    checkpoint.save(state(1.0), HISTORY)

    def die(content, file):
        file.write_bytes(b"half a state")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", die)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(state(2.0, epoch=2), [*HISTORY, {"epoch": 2}])
    loaded, history = checkpoint.load()
    assert loaded["epoch"] == 1 and history == checkpoint.history() == HISTORY


def test_a_leftover_of_a_save_is_no_state(checkpoint):
    leftover = checkpoint.folder / "state.pt.4711.partial"
    leftover.write_bytes(b"half a state")
    assert checkpoint.load() is None and find_unfinished(checkpoint.folder.parent) == []
    checkpoint.save(state(), HISTORY)
    assert checkpoint.load() is not None


def test_loading_runs_no_code_from_the_file(checkpoint):
    torch.save({"state": state, "history": []}, checkpoint.folder / "state.pt")  # a function
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        checkpoint.load()


def test_reports_are_sorted_by_rank(checkpoint):
    for rank in (10, 2, 0):
        checkpoint.report(rank, {"rank": rank, "pid": rank})
    assert [facts["rank"] for facts in checkpoint.reports()] == [0, 2, 10]


def test_a_new_attempt_forgets_what_the_last_one_said_of_itself(checkpoint):
    checkpoint.save(state(), HISTORY)
    checkpoint.report(0, {"rank": 0})
    checkpoint.fail("The loss is nan.")
    assert checkpoint.failure() == "The loss is nan."
    assert checkpoint.first_start("0-1") and not checkpoint.first_start("0-1") and checkpoint.first_start("1-1")
    checkpoint.begin(CONFIGURATION)
    assert checkpoint.failure() is None and checkpoint.reports() == [] and checkpoint.first_start("0-1")
    assert checkpoint.load()[1] == checkpoint.history() == HISTORY


def test_the_same_configuration_is_taken(checkpoint):
    checkpoint.require_same(CONFIGURATION)
    checkpoint.begin({"names": ("a", "b")})
    checkpoint.require_same({"names": ("a", "b")})  # JSON knows no tuples


def test_every_key_that_differs_is_named_with_both_values(checkpoint):
    now = {"network": "airbench", "options": {"width": 1}, "recipe": {"epochs": 4, "cutout": 2}}
    with pytest.raises(UserError) as caught:
        checkpoint.require_same(now)
    message = str(caught.value)
    for words in (
        "network (checkpoint: lenet; now: airbench)",
        "recipe.cutout (checkpoint: absent; now: 2)",
        "recipe.momentum (checkpoint: 0.9; now: absent)",
        str(checkpoint.folder),
        "bigdl_cnn.resume=false",
    ):
        assert words in message
    assert "epochs" not in message and "width" not in message


def test_the_newest_unfinished_training_comes_first(leave, tmp_path):
    for name in (NEW, OLD):
        leave(name)
    leave(NOW, saved=False)
    assert [found.folder.name for found in find_unfinished(tmp_path)] == [NEW, OLD]
    assert find_unfinished(tmp_path / "nowhere") == []


def test_what_a_run_trains_on_is_not_what_another_one_would_go_on_with(leave, tmp_path):
    for name in (NEW, OLD):
        leave(name)
    with FileLock(tmp_path / NEW / "lock"):
        assert [found.folder.name for found in find_unfinished(tmp_path, free=True)] == [OLD]
    assert [found.folder.name for found in find_unfinished(tmp_path, free=True)] == [NEW, OLD]


def test_an_unfinished_training_goes_on_in_its_own_precision(leave, tmp_path):
    leave(NEW)
    checkpoint = Checkpoint(tmp_path / NEW)
    checkpoint.settle("transfer", precision="bf16", device="cpu")
    checkpoint.settle("transfer", precision="bf16", device="cpu")
    with pytest.raises(UserError, match=r"precision \(checkpoint: bf16; now: fp32\).*transfer.resume=false"):
        checkpoint.settle("transfer", precision="fp32", device="cpu")


@pytest.mark.parametrize("resume", [True, False])
def test_a_new_training_gets_a_folder_that_is_there_until_it_is_forgotten(resume, tmp_path):
    root = tmp_path / "model" / "setting"
    with claimed(root, NOW, CONFIGURATION, resume) as checkpoint:
        assert checkpoint.folder == root / NOW and not checkpoint.holds_state
        assert json.loads((checkpoint.folder / "configuration.json").read_text()) == CONFIGURATION
        checkpoint.save(state(), HISTORY)
        forget(root, NOW)  # while it is held
    forget(root, NEW)
    assert find_unfinished(root)[0].folder == checkpoint.folder
    forget(root, NOW)
    assert [path for path in root.iterdir() if path.is_dir()] == []
    forget(tmp_path / "nowhere", NOW)


def test_a_training_that_a_later_run_went_on_with_is_that_run_s_to_forget(leave, tmp_path):
    with claimed(tmp_path, NEW, CONFIGURATION, resume=True) as first:
        first.save(state(), HISTORY)
    with claimed(tmp_path, NOW, CONFIGURATION, resume=True) as second:
        assert second.folder == first.folder
    forget(tmp_path, NEW)
    assert first.holds_state
    forget(tmp_path, NOW)
    assert not first.folder.exists()


def test_the_newest_unfinished_training_is_gone_on_with(leave, tmp_path):
    older, newer = leave(OLD), leave(NEW)
    with claimed(tmp_path, NOW, CONFIGURATION, resume=True) as checkpoint:
        assert checkpoint.folder == newer and checkpoint.load()[1] == HISTORY
    forget(tmp_path, NOW)
    assert not newer.exists() and older.exists() and not (tmp_path / NOW).exists()


def test_an_unfinished_training_is_forgotten_when_one_begins_anew(leave, tmp_path):
    unfinished = leave(OLD)
    with claimed(tmp_path, NOW, CONFIGURATION, resume=False) as checkpoint:
        assert checkpoint.folder.name == NOW and not checkpoint.holds_state
        assert not unfinished.exists()


def test_a_training_that_never_ended_an_epoch_is_cleared_away(leave, tmp_path):
    empty, unfinished = leave(NEW, saved=False), leave(OLD)
    with claimed(tmp_path, NOW, CONFIGURATION, resume=True) as checkpoint:
        assert checkpoint.folder == unfinished and not empty.exists()


@pytest.mark.parametrize("unfinished", [True, False])
def test_a_training_that_fails_leaves_its_checkpoint_to_be_gone_on_with(unfinished, leave, tmp_path):
    if unfinished:
        leave(OLD)
    with pytest.raises(ZeroDivisionError), claimed(tmp_path, NEW, CONFIGURATION, resume=True) as checkpoint:
        checkpoint.save(state(2.0, epoch=2), HISTORY * 2)
        raise ZeroDivisionError
    with claimed(tmp_path, NOW, CONFIGURATION, resume=True) as again:
        assert again.folder == checkpoint.folder and again.load()[0]["epoch"] == 2
    forget(tmp_path, NOW)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("resume", [True, False])
def test_a_training_that_another_run_holds_is_left_alone_and_told(resume, leave, tmp_path, caplog):
    held = leave(OLD)
    with FileLock(held / "lock"), claimed(tmp_path, NOW, CONFIGURATION, resume) as checkpoint:
        assert checkpoint.folder.name == NOW and not checkpoint.holds_state
    forget(tmp_path, NOW)
    assert Checkpoint(held).holds_state and not (tmp_path / NOW).exists()
    assert f"Another run trains in {held}, so that this one begins a training of its own." in caplog.text


@pytest.mark.parametrize("unfinished", [True, False])
def test_a_training_that_runs_is_held_against_others(unfinished, leave, tmp_path):
    if unfinished:
        leave(OLD)
    with (
        claimed(tmp_path, NEW, CONFIGURATION, resume=True) as mine,
        claimed(tmp_path, NOW, CONFIGURATION, resume=False) as theirs,
    ):
        assert mine.folder.exists() and theirs.folder.name == NOW


def test_an_unfinished_training_with_another_configuration_is_refused_and_kept(leave, tmp_path):
    unfinished = leave(OLD)
    other = CONFIGURATION | {"network": "airbench"}
    with (
        pytest.raises(UserError, match=r"network \(checkpoint: lenet; now: airbench\)"),
        claimed(tmp_path, NOW, other, resume=True),
    ):
        pass
    with claimed(tmp_path, NOW, CONFIGURATION, resume=True) as checkpoint:  # neither lost nor locked
        assert checkpoint.folder == unfinished
