import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.streaming import wire as wire_format
from cifar_pipelines.streaming.wire import (
    MAX_IMAGES,
    Frame,
    FrameReader,
    Lines,
    StreamImage,
    WireError,
    encode,
    line_of,
    sealed,
)

images = st.builds(
    StreamImage, st.text('aä/\n"0', min_size=1, max_size=9), st.none() | st.integers(0, 9), st.binary(max_size=20)
)
times = st.floats(0, 2e9)
frames = st.builds(
    Frame, st.integers(1, 99), st.integers(0, 9), times, times, st.lists(images, min_size=1, max_size=3).map(tuple)
)
FRAME = Frame(7, 0, 1.0, 2.5, (StreamImage("train/1", 3, b"one"), StreamImage("train/2", None, b"two")))


def read(data, cuts=()):
    reader, found, start = FrameReader(), [], 0
    for end in [*sorted(cuts), len(data)]:
        found += reader.feed(data[start:end])
        start = end
    return found


def without_seal(message):
    return message if isinstance(message, Frame) else {name: message[name] for name in message if name != "crc32"}


def test_a_frame_can_be_read_by_a_person():
    lines = (
        '{"frame": 7, "epoch": 0, "images": 2, "scheduled_at": 1.0, "sent_at": 2.5}\n'
        '{"image_id": "train/1", "label": 3, "image": "b25l"}\n'
        '{"image_id": "train/2", "label": null, "image": "dHdv"}\n'
    )
    checksum = zlib.crc32(lines.encode())
    assert encode(FRAME).decode() == lines + f'{{"end": 7, "crc32": "{checksum:08x}"}}\n'


@given(st.lists(frames | st.just({"waits_for": "credit"}), max_size=4), st.data())
def test_any_cutting_of_the_bytes_gives_the_same_frames(sent, data):
    wire = b"".join(encode(one) if isinstance(one, Frame) else sealed(one) for one in sent)
    cuts = data.draw(st.lists(st.integers(0, len(wire))))
    assert [without_seal(one) for one in read(wire, cuts)] == sent


def test_bytes_that_come_one_by_one_are_the_same_frames():
    wire = encode(FRAME) * 2
    assert read(wire, range(len(wire))) == [FRAME, FRAME]


@given(frames, st.data())
def test_no_changed_byte_makes_another_frame(frame, data):
    wire = bytearray(encode(frame))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(wire))
    except WireError:
        return
    assert not [one for one in found if isinstance(one, Frame) and one != frame]


@given(st.data())
def test_no_changed_byte_makes_another_message(data):
    wire = bytearray(sealed({"stream": "memory", "frames": 3}))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(WireError):
        assert read(bytes(wire)) == []  # the end of its line was changed, so that it has none


def test_a_message_without_its_checksum_is_refused():
    with pytest.raises(WireError, match="does not end with its checksum"):
        read(line_of({"stream": "memory"}))


@given(st.data())
def test_a_frame_that_is_cut_short_is_none(data):
    wire = encode(FRAME)
    assert read(wire[: data.draw(st.integers(0, len(wire) - 1))]) == []


def test_what_is_whole_before_damage_is_read():
    reader = FrameReader().feed(encode(FRAME) + b"damage\n")
    assert next(reader) == FRAME
    with pytest.raises(WireError, match="'damage' is not a line of JSON"):
        next(reader)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"GET / HTTP/1.1", "not a line of JSON with names and values"),
        (b"\xff\xfe\x00", "not a line of JSON"),
        (b"[" * 5000, "not a line of JSON"),
        (b"17", "not a line of JSON"),
        (b'{"frame": 0}', "frame is 0, but must be a whole number from 1"),
        (b'{"frame": true, "epoch": 0}', "frame is True"),
        (b'{"frame": 1, "epoch": 0, "images": %d}' % (MAX_IMAGES + 1), "images is 65537"),
        (b'{"frame": 1, "epoch": 0, "images": 0}', "images is 0, but must be a whole number from 1"),
        (b'{"frame": 1, "epoch": 0, "images": 1, "scheduled_at": NaN, "sent_at": 1}', "scheduled_at is nan"),
        (b'{"frame": 1, "epoch": 0, "images": 1, "scheduled_at": 1}', "sent_at is None"),
    ],
)
def test_what_is_no_message_or_head_is_refused(line, words):
    with pytest.raises(WireError, match=words):
        read(line + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b'{"image_id": "", "label": 1, "image": ""}',
        b'{"image_id": 3, "label": 1, "image": ""}',
        b'{"image_id": "a", "label": "cat", "image": ""}',
        b'{"image_id": "a", "label": -1, "image": ""}',
        b'{"image_id": "a", "label": 4294967296, "image": ""}',
        b'{"image_id": "a", "label": 1, "image": "not base64"}',
        b'{"image_id": "a", "label": 1}',
        b'{"image_id": "\\udc80", "label": 1, "image": ""}',
        b'{"end": 7, "crc32": "00000000"}',
    ],
)
def test_what_is_no_image_is_refused(line):
    head = encode(FRAME).splitlines()[0]
    with pytest.raises(WireError):
        read(head + b"\n" + line + b"\n")


def test_a_frame_is_bounded(monkeypatch):
    counted = len(encode(FRAME)) - len(encode(FRAME).splitlines()[-1]) - len(encode(FRAME).splitlines())
    monkeypatch.setattr(wire_format, "MAX_FRAME", counted)
    assert read(encode(FRAME)) == [FRAME]
    monkeypatch.setattr(wire_format, "MAX_FRAME", counted - 1)
    with pytest.raises(WireError, match=f"frame {FRAME.number} is longer than {counted - 1:,} bytes"):
        read(encode(FRAME))


def test_lines_are_bounded():
    assert list(Lines(4).feed(b"abcd\nef")) == [b"abcd"]
    with pytest.raises(WireError, match="longer than 4 bytes"):
        list(Lines(4).feed(b"abcde\n"))
    lines = Lines(4)
    assert list(lines.feed(b"abcd")) == []
    with pytest.raises(WireError):
        list(lines.feed(b"e"))
