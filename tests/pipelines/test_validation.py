"""Validation images: cut by stratum or by group, nested, seeded, and refused in one sentence where it cannot be."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.ingestion import nodes
from cifar_pipelines.pipelines.ingestion.validation import ValidationSpec, cut_validation, groups_of
from cifar_pipelines.sources.synthetic import SyntheticSource

VIDEO = r"[^/]+/([^/]+/(?:r\d*_)?)\d+"
BY_VIDEO = {"by": "group", "group": VIDEO}


def index_of(videos):
    """Training images by class and video: `{"kiwi": {"": 8, "r_": 4}}` has 8 images kiwi/0.jpg and 4 kiwi/r_0.jpg."""
    rows = [
        (f"train/{name}/{video}{number}.jpg", label, name)
        for label, (name, of_class) in enumerate(videos.items())
        for video, count in of_class.items()
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["image_id", "label", "class_name"]).assign(split="train")


def plain(count, classes=3):
    return index_of({f"class {label}": {"": count} for label in range(classes)})


def cut(index, share, seed=0, **by):
    left, held_out = cut_validation(index, ValidationSpec(share, **by), seed)
    return left["image_id"].tolist(), held_out["image_id"].tolist()


@given(share=st.floats(0.05, 0.9), seed=st.integers(0, 5))
def test_by_stratum_every_class_keeps_its_share_to_the_nearest_image(share, seed):
    index = index_of({"ant": {"": 60}, "bee": {"": 30}, "cow": {"": 31}})
    left, held_out = cut(index, share, seed)
    assert sorted(left + held_out) == sorted(index["image_id"]) and len(held_out) == round(share * 121)
    for name, of_class in index.groupby("class_name"):
        found = sum(f"/{name}/" in image for image in held_out)
        assert abs(found - share * len(of_class)) < 2


@given(shares=st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9)), by=st.sampled_from([{}, BY_VIDEO]))
def test_a_larger_share_contains_a_smaller_one_and_the_seed_decides(shares, by):
    index = index_of({name: {"": 9, "r_": 5, "r2_": 3, "r3_": 7} for name in ("ant", "bee")})
    small, large = (set(cut(index, share, **by)[1]) for share in sorted(shares))
    assert small <= large
    assert set(cut(index.sample(frac=1, random_state=1), min(shares), **by)[1]) == small


def test_by_stratum_a_training_subset_is_the_same_as_without_validation():
    index = nodes.index_source(SyntheticSource(train_images=200, test_images=50))
    subset = nodes.SubsetSpec(120, 30, 42)
    without, with_it = nodes.select_images(index, subset), nodes.select_images(index, subset, ValidationSpec(0.25))
    assert with_it["split"].value_counts().to_dict() == {"train": 120, "validation": 50, "test": 30}
    assert list(with_it["split"].unique()) == ["train", "validation", "test"]
    pd.testing.assert_frame_equal(
        with_it[with_it["split"] != "validation"].reset_index(drop=True), without, check_dtype=True
    )
    held_out = with_it[with_it["split"] == "validation"]
    assert held_out["rank"].tolist() == list(range(50)) and set(held_out["label"].value_counts()) == {5}
    assert with_it["image_id"].is_unique


def test_the_validation_images_are_the_same_for_any_number_of_training_images():
    index = nodes.index_source(SyntheticSource(train_images=200, test_images=50))
    for by in ({}, {"by": "group", "group": r"(\d\d)\d$"}):
        spec = ValidationSpec(0.2, **by)
        made = [nodes.select_images(index, nodes.SubsetSpec(size, 30, 1), spec) for size in (50, 100)]
        small, large = ({split: rows["image_id"].tolist() for split, rows in one.groupby("split")} for one in made)
        assert small["validation"] == large["validation"] and small["train"] == large["train"][:50]


@given(share=st.floats(0.05, 0.95), seed=st.integers(0, 5))
def test_by_group_no_group_lies_on_both_sides_and_every_class_on_each(share, seed):
    index = index_of({"kiwi": {"": 40, "r_": 10}, "fig": {"": 5, "r_": 20, "r2_": 15}})
    left, held_out = (pd.Series(ids) for ids in cut(index, share, seed, **BY_VIDEO))
    spec = ValidationSpec(share, **BY_VIDEO)
    assert not set(groups_of(left, spec)) & set(groups_of(held_out, spec))
    for images in (left, held_out):
        assert set(images.str.split("/").str[1]) == {"kiwi", "fig"}


def test_the_groups_are_those_whose_images_are_nearest_to_the_share():
    index = index_of({name: {f"r{number}_": 10 for number in range(10)} for name in ("ant", "bee")})
    for share, groups in ((0.01, 1), (0.24, 2), (0.26, 3), (0.99, 9)):
        _, held_out = cut(index, share, **BY_VIDEO)
        assert len(held_out) == 2 * 10 * groups


def test_a_group_is_named_by_what_parentheses_catch_or_by_all_that_is_found():
    ids = pd.Series(["train/kiwi/r_12.jpg", "train/kiwi/7.jpg"])
    assert groups_of(ids, ValidationSpec(0.1, "group", r"(kiwi)/(r_)?\d")).tolist() == ["kiwi/r_", "kiwi/"]
    assert groups_of(ids, ValidationSpec(0.1, "group", r"k\w+")).tolist() == ["kiwi", "kiwi"]


def test_groups_may_stand_in_a_table_whose_content_is_part_of_the_description(tmp_path):
    index, file = plain(6, classes=2), tmp_path / "authors.csv"
    authors = [f"author {number % 3}" for number in range(len(index))]
    table = index[["image_id"]].assign(author=authors)
    table.to_csv(file, index=False)
    spec = ValidationSpec(0.3, "group", table=str(file), column="author")
    left, held_out = cut_validation(index, spec, 0)
    known = dict(zip(index["image_id"], authors, strict=True))
    assert not {known[one] for one in left["image_id"]} & {known[one] for one in held_out["image_id"]}
    before = spec.describe()
    table.iloc[:-1].to_csv(file, index=False)
    assert spec.describe() != before and before["table_digest"] and ValidationSpec().describe() is None
    with pytest.raises(
        UserError, match=r"authors\.csv names a group for 11 of 12 images; it lacks one for 'train/class 1"
    ):
        cut_validation(index, spec, 0)
    with pytest.raises(UserError, match=r"has no column 'group'; it has 'image_id', 'author'\. Add it, or name"):
        cut_validation(index, ValidationSpec(0.3, "group", table=str(file)), 0)
    with pytest.raises(UserError, match=r"validation\.table=.*nowhere\.csv cannot be read: .*No such file"):
        cut_validation(index, ValidationSpec(0.3, "group", table=str(tmp_path / "nowhere.csv")), 0)
    pd.concat([table, table.head(1)]).to_csv(file, index=False)
    with pytest.raises(UserError, match=r"names 'train/class 0/0\.jpg' more than once"):
        cut_validation(index, spec, 0)


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, "0.2", True, None, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(UserError, match=r"validation\.share is .*, but must be from 0 .* to less than 1"):
        ValidationSpec(share)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"by": "video"}, r"validation\.by is 'video', but must be 'stratum' or 'group'"),
        ({"by": "group"}, r"needs either validation\.group, .* or validation\.table"),
        ({"by": "group", "group": "a", "table": "b"}, r"needs either validation\.group"),
        ({"group": "x"}, r"validation\.group is given, but validation\.by is 'stratum'\. Set validation\.by=group"),
        ({"by": "group", "group": "(r_"}, r"'\(r_', which is no regular expression: missing \), .*Correct it"),
    ],
)
def test_a_wrong_way_to_cut_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        ValidationSpec(0.1, **values)


@pytest.mark.parametrize(("expression", "matched"), [("author_(.)", "none"), (r"class (\d)/1\.jpg", "3")])
def test_a_regular_expression_that_does_not_match_every_image_is_refused(expression, matched):
    with pytest.raises(
        UserError, match=rf"validation\.group=.* matches {matched} of 12 images; it lacks one for 'train/cl"
    ):
        cut(plain(4), 0.2, by="group", group=expression)


def test_a_group_that_swallows_a_class_is_refused_by_the_names_of_both():
    index = index_of({"kiwi": {"": 9, "r_": 4}, "fig": {"r_": 7}})
    with pytest.raises(
        UserError, match=r"All 7 training images of the class 'fig' are of the group 'fig/r_', .*by=stratum"
    ):
        cut(index, 0.2, **BY_VIDEO)


def test_groups_of_several_classes_that_swallow_one_between_them_are_refused():
    index = index_of({"kiwi": {"a": 8, "b": 8, "c": 8}, "fig": {"a": 1, "b": 1}})
    share = 0.66  # two of three groups: some order of them takes both that hold figs
    refused = []
    for seed in range(8):
        try:
            cut(index, share, seed, by="group", group="[abc](?=[0-9])")
        except UserError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 8
    assert "All 2 training images of the class 'fig' are of 2 groups that go to validation" in refused[0]


@pytest.mark.parametrize(("share", "which"), [(0.001, "which is no image"), (0.99, "which leaves none to learn from")])
def test_a_share_of_nothing_and_of_everything_is_refused(share, which):
    with pytest.raises(UserError, match=rf"validation\.share is {share} of 9 training images, {which}"):
        cut(plain(3), share)


def test_a_share_that_takes_all_of_a_class_is_refused_by_its_name():
    index = index_of({"ant": {"": 40}, "bee": {"": 40}, "cow": {"": 1}})
    with pytest.raises(UserError, match=r"validation\.share=0\.6 leaves no training image of cow, and every class"):
        cut(index, 0.6)


def test_too_many_training_images_are_refused_with_those_for_validation():
    index = nodes.index_source(SyntheticSource(train_images=40, test_images=10))
    with pytest.raises(UserError, match=r"40 training images beside 10 for validation are more than the 30 there are"):
        nodes.select_images(index, nodes.SubsetSpec(40, 10, 0), ValidationSpec(0.25))


def test_models_may_be_judged_on_validation_images_but_not_on_nothing():
    index = nodes.index_source(SyntheticSource(train_images=40, test_images=10))
    assert set(nodes.select_images(index, nodes.SubsetSpec(20, 0, 0), ValidationSpec(0.25))["split"]) == {
        "train", "validation",
    }  # fmt: skip
    with pytest.raises(
        UserError, match=r"test_size is 0 and validation\.share is 0, .*validation\.share=0\.15, or give a"
    ):
        nodes.select_images(index, nodes.SubsetSpec(20, 0, 0))


def contest(count=4):
    index = plain(10)
    unlabelled = pd.DataFrame({"image_id": [f"test/{number}.jpg" for number in range(count)], "split": "predict"})
    return pd.concat([index, unlabelled.assign(label=pd.array([pd.NA] * count, "Int64"))], ignore_index=True)


def test_images_without_labels_are_all_taken_in_their_order():
    manifest = nodes.select_images(contest(12), nodes.SubsetSpec(20, 0, 0), ValidationSpec(0.2))
    rows = manifest[manifest["split"] == "predict"]
    assert rows["image_id"].tolist() == [f"test/{number}.jpg" for number in range(12)]
    assert rows["rank"].tolist() == list(range(12)) and rows["label"].isna().all() and rows["class_name"].isna().all()
    assert np.issubdtype(nodes.count_classes(manifest)["count"].dtype, np.integer)
    assert set(nodes.count_classes(manifest)["split"]) == {"train", "validation"}


def test_test_images_without_labels_are_refused_with_what_to_do():
    with pytest.raises(UserError, match=r"test_size is 500, but the test images of the source have no labels\."):
        nodes.select_images(contest(), nodes.SubsetSpec(20, 500, 0), ValidationSpec(0.2))


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_all_images_are_all_that_there_are_beside_validation(share):
    index = pd.DataFrame(
        {
            "split": ["train"] * 40 + ["test"] * 10,
            "image_id": [f"image-{number:02d}" for number in range(50)],
            "label": [number % 2 for number in range(50)],
            "class_name": ["ab"[number % 2] for number in range(50)],
        }
    )
    made = nodes.select_images(index, nodes.SubsetSpec("all", "all", 0), ValidationSpec(share))
    assert made["split"].value_counts().get("train") == 40 * (1 - share) and (made["split"] == "test").sum() == 10
    same = nodes.select_images(index, nodes.SubsetSpec(int(40 * (1 - share)), 10, 0), ValidationSpec(share))
    pd.testing.assert_frame_equal(made, same)
