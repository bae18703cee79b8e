"""No more frames wait than may, whoever sent them; and whoever follows gets room in the end."""

import random

import pytest
from tests.factories.streaming import frames_in

from cifar_pipelines.streaming.journal import commit, committed
from cifar_pipelines.streaming.landing import Landing
from cifar_pipelines.streaming.wire import Frame, StreamImage, WireError

IMAGE = (StreamImage("0.png", 0, b""),)
NAMES = ("a", "b", "c")


def open_landing(folder, max_backlog, names):
    landing = Landing(folder, max_backlog, [f"{name}:1" for name in names])
    for name in names:
        landing.admit(name, {"digest": name, "classes": ["cat"]}, f"{name}:1")
    return landing


def land(landing, name, *numbers):
    for number in numbers:
        landing.land(name, Frame(number, 0, 1.0, 1.0, IMAGE))


def test_what_waits_of_one_producer_is_room_that_no_other_has(tmp_path):
    with open_landing(tmp_path, 8, "a") as landing:
        land(landing, "a", *range(1, 9))
    with open_landing(tmp_path, 8, "ab") as landing:
        assert (landing.until("a"), landing.until("b")) == (8, 0)
        commit(tmp_path, 2)
        assert (landing.until("a"), landing.until("b")) == (8, 2)
        commit(tmp_path, 6)
        assert (landing.until("a"), landing.until("b")) == (10, 4)


def test_what_waits_of_a_producer_that_is_no_longer_followed_takes_room_until_it_is_learned(tmp_path):
    with open_landing(tmp_path, 8, "a") as landing:
        land(landing, "a", *range(1, 7))
    with open_landing(tmp_path, 8, "b") as landing:
        assert landing.until("b") == 2
        commit(tmp_path, 6)
        assert landing.until("b") == 8


def test_credit_that_one_holds_is_room_that_no_other_gets(tmp_path):
    with open_landing(tmp_path, 4, "a") as landing:
        land(landing, "a", 1, 2)
    with open_landing(tmp_path, 4, "bc") as landing:
        assert (landing.until("b"), landing.until("c")) == (2, 0)
        land(landing, "b", 1)
        commit(tmp_path, 1)
        assert (landing.until("b"), landing.until("c")) == (2, 1)
        landing.admit("b", {"digest": "b"}, "b:1")  # a new connection has no credit of the one before
        assert (landing.until("c"), landing.until("b")) == (2, 1)


def test_a_frame_beyond_the_credit_is_refused(tmp_path):
    with open_landing(tmp_path, 2, "a") as landing:
        land(landing, "a", 1, 2)
        with pytest.raises(WireError, match="frame 3 came, but there was room up to frame 2 alone"):
            land(landing, "a", 3)
        assert len(frames_in(tmp_path)) == 2
        commit(tmp_path, 1)
        land(landing, "a", 2, 3)
    assert len(frames_in(tmp_path)) == 3


def test_credit_once_given_stays_where_frames_are_learned_anew(tmp_path):
    with open_landing(tmp_path, 2, "a") as landing:
        land(landing, "a", 1, 2)
        commit(tmp_path, 2)
        assert landing.until("a") == 4
        commit(tmp_path, 1)
        assert landing.until("a") == 4


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_in_whatever_order_the_backlog_holds_and_nobody_waits_forever(tmp_path, monkeypatch, seed):
    monkeypatch.setattr("os.fsync", lambda _: None)
    chance = random.Random(seed)
    for _ in range(4):  # receivers of the same folder, each follows others
        names = chance.sample(NAMES, chance.randint(1, 3))
        most = chance.randint(len(names), 9)
        with open_landing(tmp_path, most, names) as landing:
            told = {name: landing.until(name) for name in names}
            for _ in range(25):
                name, before = chance.choice(names), landing.waiting()
                if landing.last_of(name) < told[name]:
                    land(landing, name, landing.last_of(name) + 1)  # what it was told it may send always lands
                    assert landing.waiting() <= most
                elif chance.random() < 0.5:
                    commit(tmp_path, committed(tmp_path) + chance.randint(0, before))
                told[name] = landing.until(name)
                assert landing.waiting() + sum(told[one] - landing.last_of(one) for one in names) <= max(most, before)
            for name in chance.sample(names, len(names)) if chance.random() < 0.5 else ():
                commit(tmp_path, landing.landed)
                assert landing.until(name) - landing.last_of(name) == most // len(names)
