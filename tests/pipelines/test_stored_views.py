"""What is stored of an image is what the network makes of it before its head."""

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from tests.pipelines.test_transfer_specification import specify

from cifar_pipelines.pipelines.transfer.stored import Stored, Views, read_features
from cifar_pipelines.pipelines.transfer.views import VIEWS, view
from cifar_pipelines.training.draws import image_keys
from cifar_pipelines.training.head import linear_head


@pytest.mark.parametrize(
    "backbone", ["timm:test_efficientnet", "torchvision:mobilenet_v2", "timm:tf_efficientnet_lite0"]
)
def test_the_head_on_stored_features_is_the_network_on_images(backbone):
    weights = None if "lite0" in backbone else "none"
    spec = specify(backbone=backbone, weights=weights, input={"size": 32}, views=3)
    extractor = Views(spec)
    state = extractor.prepare()
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = torch.from_numpy(extractor.build(state, "fp32")(images)).view(6, 3, -1)

    from cifar_pipelines.backbones import load_weights

    torch.manual_seed(1)
    network = spec.backbone.build(5, load_weights(spec.backbone, weights).state_dict).eval()
    head = network.get_submodule(linear_head(spec.backbone))
    with torch.inference_mode():
        for number, shown in enumerate((images, images.flip(3), view(images, 2))):
            expected = network(spec.input.prepare(shown))
            torch.testing.assert_close(head(features[:, number]), expected, rtol=1e-3, atol=1e-4)


def test_the_views_are_the_image_and_its_corners_each_also_mirrored():
    images = torch.zeros((1, 3, 16, 24), dtype=torch.uint8)
    images[..., 0, 0], images[..., 0, -1], images[..., -1, 0], images[..., -1, -1] = 10, 20, 30, 40
    views = [view(images, number) for number in range(VIEWS)]
    assert views[0] is images and all((one.shape, one.dtype) == (images.shape, torch.uint8) for one in views)
    marks = [
        {int(one[0, 0, y, x]) for y in (0, -1) for x in (0, -1)} - {0} for one in views
    ]  # what lies in a corner of the image lies in that corner of the view, and the other ones are cut away
    assert marks == [{10, 20, 30, 40}] * 2 + [{10}] * 2 + [{20}] * 2 + [{30}] * 2 + [{40}] * 2
    assert all(torch.equal(views[number + 1], views[number].flip(-1)) for number in range(0, VIEWS, 2))
    small = torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)
    assert view(small, 8).unique().tolist() == [3, 7, 11]


@pytest.mark.parametrize("curve", ["validation", "test"])
def test_stored_features_come_in_the_order_of_ranks_so_that_their_batches_are_those_of_images(curve, tmp_path):
    ids, labels, splits = list("abcde"), [0, 1, 2, 3, 4], ["train"] * 3 + [curve] * 2
    table = {"image_id": ids, "label": labels, "split": splits}
    image_file, folder = tmp_path / "images.parquet", tmp_path / "stored"
    parquet.write_table(pa.table(table | {"rank": [2, 0, 1, 1, 0]}), image_file)
    (folder / "features").mkdir(parents=True)
    parquet.write_table(
        pa.table(table | {"features": [[float(k), k + 0.5] for k in labels]}), folder / "features/0.parquet"
    )
    found = read_features(Stored(folder, False, 5, 1.0), 2, (image_file.as_uri(),), curve)
    assert found.chooses == (curve == "validation")
    assert found.labels.tolist() == [1, 2, 0] and found.validation_labels.tolist() == [4, 3]
    assert found.train.tolist() == [[[1.0], [1.5]], [[2.0], [2.5]], [[0.0], [0.5]]] and found.validation.tolist() == [
        [4.0],
        [3.0],
    ]
    assert found.keys.tolist() == image_keys(["b", "c", "a"]).tolist()
