import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.common.contents import IMAGE, TEXT, content_of, require_content
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.texts import LARGEST_FILE, WITHOUT_BREAKS, decode, examine


def test_line_breaks_of_html_become_blanks_and_are_counted():
    assert decode(b"Good.<br /><br/>Very<br>good.") == "Good.  Very good."
    assert examine(b"a<br />b")[:4] == (1, 2, None, WITHOUT_BREAKS)
    assert examine(b"a b").treated is None


def test_the_mark_of_byte_order_is_no_letter():
    assert decode(b"\xef\xbb\xbfGood") == "Good"


@given(st.lists(st.text("ab", min_size=1), min_size=1), st.sampled_from([" ", "\n", "<br />", "\t "]))
def test_texts_of_the_same_words_share_a_digest_whatever_lies_between_them(words, between):
    one, other = examine(" ".join(words).encode()), examine(between.join(words).encode())
    assert one.digest == other.digest and one.width == other.width == len(words)


def test_a_text_of_100_000_words_is_none_too_many():
    assert examine(b"word " * 100_000).width == 100_000


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "empty file"),
        (b" <br /> \n", "no word in it"),
        (b"caf\xe9 noir", "byte 0xe9 at position 3 is not UTF-8"),
        (b"a" * (LARGEST_FILE + 1), "a file of more than 16 MiB"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(file, reason):
    assert examine(file).error == reason


def test_a_table_that_does_not_say_what_it_holds_is_of_images():
    assert content_of({}) is IMAGE
    assert content_of({"content": "text"}) is TEXT


def test_who_reads_images_refuses_texts():
    with pytest.raises(UserError, match=r"^Lenet takes images, but the source holds texts. Take another.$"):
        require_content(TEXT, IMAGE, "Lenet", "Take another.")
