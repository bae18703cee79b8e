"""The leak meter: nearest training images as brute force finds them, and near twins told from chance likeness."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.outcomes import pack_outcomes
from cifar_pipelines.pipelines.ingestion.validation import NO_VALIDATION, ValidationSpec
from cifar_pipelines.pipelines.leaks import create_pipeline, nodes
from cifar_pipelines.pipelines.leaks.nearest import NEAREST, Queries, nearest_batches, normalised
from cifar_pipelines.pipelines.leaks.nodes import LeaksSpec, measure_leaks
from cifar_pipelines.plots.of_leaks import plot_nearest
from cifar_pipelines.report.document.blocks import Figure, Paragraph, Table, plain
from cifar_pipelines.report.sections.leaks import leaks, leaks_figure

INFO = {"fingerprint": "f", "copies_across_splits": {}}
FEATURES = {"extractor": "kmeans_patches", "images_fingerprint": "f"}


def batch(ids, labels, features):
    lists = pa.array([row.tolist() for row in features], pa.list_(pa.float32()))
    return pa.RecordBatch.from_arrays(
        [pa.array(ids), pa.array(labels, pa.int32()), lists], ["image_id", "label", "features"]
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), sizes=st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_the_nearest_are_those_that_brute_force_finds(seed, sizes):
    random = np.random.default_rng(seed)
    total, n = sum(sizes), 6
    features, labels, groups = (
        random.normal(size=(total, 4)),
        random.integers(0, 3, total),
        random.integers(0, 3, total),
    )
    ids = [f"train/{number}" for number in range(total)]
    own, own_labels, own_groups = random.normal(size=(n, 4)), random.integers(0, 3, n), random.integers(0, 3, n)
    queries = Queries(normalised(own), own_labels, own_groups, dict(zip(ids, groups.tolist(), strict=True)))
    ends = np.cumsum(sizes)
    batches = [
        batch(ids[end - size : end], labels[end - size : end], features[end - size : end])
        for size, end in zip(sizes, ends, strict=True)
    ]
    made = list(nearest_batches(batches, queries))
    if not total:
        assert not made
        return
    (rows,) = made
    assert rows.schema == NEAREST.arrow
    distance = np.linalg.norm(normalised(own)[:, None] - normalised(features)[None], axis=2)
    found = rows.to_pandas()
    np.testing.assert_allclose(found["distance"], distance.min(axis=1), atol=1e-3)
    assert found["neighbour"].tolist() == [ids[at] for at in distance.argmin(axis=1)]
    for column, mask in (
        ("other_class", own_labels[:, None] == labels),
        ("other_group", own_groups[:, None] == groups),
    ):
        np.testing.assert_allclose(found[column], np.where(mask, np.inf, distance).min(axis=1), atol=1e-3)


def nearest_table(n=200, groups=True):
    """Half of the test images have a twin of their own group; without it, a nearest neighbour guesses one of two classes."""
    twin = np.arange(n) % 2 == 0
    table = pd.DataFrame(
        {
            "image_id": [f"test/{number:03d}" for number in range(n)],
            "neighbour": [f"train/{number:03d}" for number in range(n)],
            "label": 0,
            "split": "test",
            "distance": np.where(twin, 0.1, 0.9),
            "other_class": 1.0,
            "right": twin | (np.arange(n) % 4 == 1),
        }
    )
    known = {"group": "g", "own_group": twin, "other_group_right": np.arange(n) % 4 < 2}
    return table.assign(**(known if groups else dict.fromkeys(known)))


def measured(**given):
    return measure_leaks(nearest_table(**given), FEATURES, INFO, LeaksSpec(0.5, None), NO_VALIDATION)


def test_near_twins_are_counted_and_what_they_are_worth():
    found = json.loads(json.dumps(measured()))["splits"]["test"]
    assert (found["images"], found["twins"], found["threshold"]) == (200, 100, 0.5)
    assert (found["accuracy"]["value"], found["accuracy_without_twins"]["value"]) == (0.75, 0.5)
    assert found["accuracy_of_other_groups"]["value"] == 0.5 and found["in_own_group"] == 100
    assert found["right_in_own_group"] == pytest.approx(100 / 150)
    assert len(found["closest"]) == 20 and found["closest"][0] == ["test/000", "train/000", 0.1, True]
    assert "accuracy_of_other_groups" not in measured(groups=False)["splits"]["test"]


@pytest.mark.parametrize("near", [0, -1, 1.1, "0.5", True, float("nan")])
def test_a_threshold_out_of_range_is_refused(near):
    with pytest.raises(UserError, match=r"leaks\.near is .*, but must be above 0 and at most 1"):
        LeaksSpec(near, None)


def test_an_expression_that_does_not_compile_is_refused():
    with pytest.raises(UserError, match="which is no regular expression"):
        LeaksSpec(0.5, "(")


@pytest.mark.parametrize("groups", [True, False])
def test_plot_and_section_show_what_was_measured(groups, tmp_path):
    table, found = nearest_table(groups=groups), measured(groups=groups)
    figure = plot_nearest(table, found)
    place = tmp_path / "kmeans_patches"
    for name in ("leaks.json", "leaks.png"):
        (place / name / "2024").mkdir(parents=True)
    (place / "leaks.json" / "2024" / "leaks.json").write_text(json.dumps(found))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=30)
    (place / "leaks.png" / "2024" / "leaks.png").write_bytes(picture.getvalue())
    plt.close("all")
    section = leaks(tmp_path, pd.DataFrame())
    words = " ".join(plain(item) for block in section.blocks for item in getattr(block, "items", ()))
    (rows,) = [block.rows for block in section.blocks if isinstance(block, Table)]
    assert plain(rows[0][1]) == "100 (50.0%)" and plain(rows[0][4]).startswith("50.0%" if groups else "–")
    assert ("100 of 200 have their nearest" in words and "cut by group" in words) == groups
    assert isinstance(section.blocks[0], Paragraph) and isinstance(leaks_figure(tmp_path, "kedro run"), Figure)
    assert leaks(tmp_path / "nowhere", pd.DataFrame()) is None and leaks(None, pd.DataFrame()) is None
    (place / "leaks.json" / "2024" / "leaks.json").write_text("[1]")
    assert leaks(tmp_path, pd.DataFrame()) is None


def test_models_are_judged_without_the_images_that_have_twins(tmp_path):
    table, found = nearest_table(), measured()
    place = tmp_path / "kmeans_patches" / "leaks.json" / "2024" / "leaks.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(found))
    right = pd.Series(np.arange(200) % 2 == 0) | (
        np.arange(200) % 10 == 1
    )  # all that have twins, a fifth of the others

    def model(label, ids):
        packed = pack_outcomes(ids, right.to_numpy())
        return {"label": label, "model": label, "setting": "exec_1x1", "accuracy": right.mean(), "test_images": 200,
                "outcome_images": packed["images"], "outcomes": packed["right"], "time_s": 1.0, "latest": 1}  # fmt: skip

    models = pd.DataFrame([model("svm", table["image_id"]), model("elsewhere", [f"x{n}" for n in range(200)])])
    section = leaks(tmp_path, models)
    (_, told) = [block for block in section.blocks if isinstance(block, Table)]
    (row,) = told.rows
    assert [plain(cell).split(" ")[0] for cell in row] == ["svm", "60.0%", "20.0%", "100.0%"]
    found["splits"]["test"].pop("packed")
    place.write_text(json.dumps(found))
    assert len([block for block in leaks(tmp_path, models).blocks if isinstance(block, Table)]) == 1


def test_on_executors_a_copy_is_the_nearest_and_of_its_group(ingested, extracted):
    copies = ingested.manifest[ingested.manifest["split"] == "train"]["image_id"].head(5).tolist()
    from pyspark.sql import functions as F  # noqa: N812

    features = extracted.features
    again = features.where(F.col("image_id").isin(copies)).withColumn("split", F.lit("validation"))
    again = again.withColumn("image_id", F.concat(F.lit("copy of "), "image_id"))
    info = ingested.info | {"validation_size": 5}
    by_number = LeaksSpec(0.5, r"(\d)$")
    found = nodes.find_nearest(features.unionByName(again), extracted.info, info, by_number, NO_VALIDATION)
    assert found["split"].value_counts().to_dict() == {"test": 30, "validation": 5}
    twins = found[found["split"] == "validation"]
    assert (twins["image_id"] == "copy of " + twins["neighbour"]).all()
    assert (twins["distance"] < 1e-3).all() and twins["right"].all() and twins["own_group"].all()
    made = measure_leaks(found, extracted.info, info, by_number, NO_VALIDATION)
    assert made["splits"]["validation"]["twins"] == 5 and made["group"] == r"(\d)$"
    without = nodes.find_nearest(features, extracted.info, ingested.info, LeaksSpec(0.5, None), NO_VALIDATION)
    assert without["group"].isna().all() and len(without) == 30
    assert (without["distance"].to_numpy() == found[found["split"] == "test"]["distance"].to_numpy()).all()
    with pytest.raises(UserError, match=r"those of other images\. Extract them again: kedro run --pipelines features"):
        nodes.find_nearest(features, extracted.info, info | {"fingerprint": "x"}, by_number, NO_VALIDATION)


def test_groups_are_those_of_validation_where_it_is_cut_by_group():
    by_group = ValidationSpec(0.1, "group", "x")
    for spec, validation, wanted in (
        (LeaksSpec(0.5, None), NO_VALIDATION, None),
        (LeaksSpec(0.5, None), by_group, "x"),
        (LeaksSpec(0.5, "y"), by_group, "y"),
    ):
        assert measure_leaks(nearest_table(), FEATURES, INFO, spec, validation)["group"] == wanted


def test_the_pipeline_reads_features_and_leaves_numbers_and_a_plot():
    made = create_pipeline()
    assert made.outputs() == {"leaks_run_records"} and {"leaks", "leaks_plot"} < made.all_outputs()
    assert {"features", "features_info", "images_info"} < made.inputs()
