import pytest
from tests.factories.records import make_cnn_record
from tests.factories.report import items_of, rows_of, sections_of, text_of
from tests.factories.transfer_records import LITE1, make_transfer_record

from cifar_pipelines.judging.statistics import holm
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.transfer_roles import FROZEN, RANDOM, TUNED, role_of, role_of_block

CACHE = {
    "images": 1200, "views": 2, "extract_s": 80.0, "images_per_s": 30.0, "reused": True, "head_start_s": 2.0, "saved_s": 1.0
}  # fmt: skip


def section_of(*records):
    return sections_of({str(place): record for place, record in enumerate(records)}).get("transfer")


@pytest.mark.parametrize(
    ("weights", "trains", "role"),
    [
        ("a" * 64, ["head"], FROZEN),
        ("a" * 64, ["head", "head"], FROZEN),
        ("a" * 64, ["head", "last:2"], TUNED),
        (None, ["head", "all"], RANDOM),
        (None, ["head"], None),  # nobody learned what the head sees
    ],
)
def test_the_role_is_what_began_and_what_learned(weights, trains, role):
    record = make_transfer_record("frozen_lite1_scratch", 500, *trains, weights=weights)  # the name says nothing
    assert role_of(RunRecord.from_json(record)) == role
    block = {"weights": "none" if weights is None else "download", "phases": [{"train": what} for what in trains]}
    assert role_of_block(block) == role
    assert role_of(RunRecord.from_json(make_cnn_record())) is None


def test_pairs_of_one_backbone_are_tested_and_said():
    section = section_of(
        make_transfer_record("a", 700, "head", fit_s=50.0),
        make_transfer_record("b", 800, "head", "last:5", fit_s=400.0),
        make_transfer_record("c", 790, "all", weights=None, fit_s=900.0),
        make_transfer_record("elsewhere", 600, "head", network="timm:another"),
    )
    networks, rows = rows_of(section.blocks), rows_of(section.blocks[1:])
    assert [(row["model"], row["role"], row["learned"], row["records"]) for row in networks] == [
        ("b", "fine-tuned", "head, last:5", "[r2]"),
        ("a", "frozen", "head", "[r1]"),
        ("c", "from random weights", "all", "[r3]"),
    ]
    assert {row["backbone"] for row in networks} == {LITE1}
    assert [(row["first"], row["second"]) for row in rows] == [("b", "a"), ("b", "c"), ("a", "c")]
    tuned, scratch, frozen = rows
    assert (tuned["accuracy"], tuned["fit [s]"]) == ("80.0% / 70.0%", "400 / 50.0")
    assert tuned["difference [points]"].startswith("+10.00 (+8.") and tuned["p, Holm"] == "< 0.0001"
    assert frozen["difference [points]"].startswith("-9.00 (-10.")
    assert [float(scratch[p]) for p in ("McNemar p", "p, Holm")] == [0.002, 0.002]
    first, second, third = items_of(section.blocks)
    assert first.startswith(
        f"{LITE1}, fine-tuned against frozen. b against a: 10.00 points more (p < 0.0001), 400 s aga"
    )
    assert "1.00 points more (p = 0.0020)" in second and "a against c: 9.00 points less (p < 0.0001)" in third
    assert "differ too" not in text_of(section.blocks) and "elsewhere" not in text_of(section.blocks)


def test_chosen_pairs_are_corrected_together():
    section = section_of(
        make_transfer_record("a", 700, "head"), *(make_transfer_record(f"b{n}", 702 + n, "all") for n in range(2))
    )
    rows = rows_of(section.blocks[1:])
    p = [float(row["McNemar p"]) for row in rows]
    assert [float(row["p, Holm"]) for row in rows] == holm(p).tolist() and len(p) == 2
    assert (
        "no difference in accuracy is shown (+0.20 points, p = 0.5000), 100 s against 100 s"
        in items_of(section.blocks)[0]
    )


def test_what_else_two_networks_differ_in_is_said():
    words = items_of(
        section_of(
            make_transfer_record("a", 700, "head", size=96, cache=CACHE, setting=(1, 1)),
            make_transfer_record("b", 800, "all", weights="b" * 64),
        ).blocks
    )[0]
    assert "Their inputs differ too" in words and "weights of different files" in words
    assert "times are of different settings" in words
    assert "a found its stored features there; the run that stored them took 80.0 s" in words


def test_of_one_role_or_of_other_images_there_is_no_table():
    assert section_of(make_transfer_record("a", 700, "all"), make_transfer_record("b", 800, "last:2")) is None
    old = make_transfer_record("a", 700, "head")
    old["metrics"]["outcomes"] = None
    words = text_of(section_of(old, make_transfer_record("b", 800, "last:2")).blocks)
    assert words.startswith("Not tested:\nb and a: the run record of a holds no outcomes by image") and "|" not in words
