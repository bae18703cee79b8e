import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming.shared_secret import (
    CLIENT,
    SERVER,
    VARIABLE,
    answer,
    challenge,
    is_right,
    require_secret_beyond_loopback,
    secret_of,
)

SECRET = bytes(range(65, 91))


def test_a_secret_comes_from_the_environment():
    assert secret_of({}) is None
    assert secret_of({VARIABLE: SECRET.decode()}) == SECRET


def test_a_secret_that_can_be_guessed_is_refused():
    with pytest.raises(UserError, match=r"CIFAR_STREAM_SECRET has 5 signs, but must have at least 16.*openssl rand"):
        secret_of({VARIABLE: "short"})


def test_answers_are_different_for_each_side_and_each_pair_of_challenges():
    first, second = challenge(), challenge()
    assert first != second
    answers = [answer(SECRET, who, *pair) for who in (SERVER, CLIENT) for pair in ((first, second), (second, first))]
    assert len({*answers, answer(b"another secret of", SERVER, first, second)}) == 5


def test_only_the_right_answer_is_right():
    right = answer(SECRET, CLIENT, "a", "b")
    assert is_right(right, right)
    assert not any(is_right(wrong, right) for wrong in ("", right[:-1], right.upper(), None, 17, "ä\ud800"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_on_loopback_no_secret_is_needed(host):
    require_secret_beyond_loopback(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_beyond_loopback_nothing_is_served_without_a_secret(host):
    with pytest.raises(UserError, match=r"can be reached from other machines.*Set CIFAR_STREAM_SECRET"):
        require_secret_beyond_loopback(host, None)
    require_secret_beyond_loopback(host, SECRET)
