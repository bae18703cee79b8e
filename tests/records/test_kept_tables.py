from hashlib import sha256

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.kept_tables import why_to_make


class Catalog:
    """The descriptions of tables that an earlier version left."""

    def __init__(self, options, **more):
        self.images_info = {"fingerprint": "f"}
        self.features_info = {"images_fingerprint": "f", "options": options, "precision": "fp32"} | more

    def exists(self, name):
        return True

    def load(self, name):
        return getattr(self, name)


def why(extractor, catalog, **more):
    block = {"extractor": extractor, "weights_path": None, "input_size": None, "precision": "auto", "options": {}}
    return why_to_make("features", ["features"], catalog, {"features": block | more})


@pytest.mark.parametrize(
    "extractor", ["kmeans_patches", "torchvision:mobilenet_v2", "torchvision:resnet101", "torchvision:efficientnet_b1"]
)
def test_features_from_before_are_kept_where_weights_expect_what_was_usual(extractor):
    assert why(extractor, Catalog({})) is None


def test_features_from_before_are_made_anew_where_weights_expect_another_input():
    assert why("torchvision:efficientnet_b0", Catalog({})) == (
        "the features were extracted before weights named their input, which is: bicubic"
    )
    described = {"size": 160, "resize": 183, "filter": "bicubic"}
    assert why("torchvision:efficientnet_b0", Catalog({}, input=described)) is None


def test_features_of_weights_that_were_replaced_are_made_anew(tmp_path):
    file, before = tmp_path / "w.pth", sha256(b"before").hexdigest()
    file.write_bytes(b"before")
    catalog = Catalog({}, weights_sha256=before, input={})
    asked = {"weights_path": str(file)}
    assert why("torchvision:mobilenet_v2", catalog, **asked) is None
    file.write_bytes(b"after")
    reason = why("torchvision:mobilenet_v2", catalog, **asked)
    assert reason.startswith("the weights have changed: their sha256 begins with ") and reason.endswith(before[:8])
    with pytest.raises(UserError, match=r"has the sha256 .*, not bbbbbbbb"):
        why("torchvision:mobilenet_v2", catalog, weights=f"path:{file}#sha256=bbbbbbbb")
    file.unlink()
    assert why("torchvision:mobilenet_v2", catalog, **asked) is None


def test_features_are_kept_where_the_place_of_their_weights_is_gone(tmp_path):
    catalog = Catalog({}, weights_sha256="0" * 64, input={})
    assert why("torchvision:mobilenet_v2", catalog, weights="package:nowhere-of-that-name") is None
    assert why(f"transformers:{tmp_path}/gone", Catalog({}, weights_sha256="0" * 64)) is None


def test_features_by_spark_have_no_precision_to_be_stale_by():
    assert why("tfidf", Catalog({}, precision=None), precision="fp32") is None
    assert "extracted in fp32" in why("kmeans_patches", Catalog({}), precision="bf16")


def test_features_whose_weights_are_gone_are_what_is_left_of_them(tmp_path):
    assert why("torchvision:efficientnet_b0", Catalog({}), weights_path=str(tmp_path / "gone.pth")) is None
