from cifar_pipelines.pipelines.epoch_log import describe_epoch

ROW = {
    "epoch": 2, "loss": 1.5, "accuracy": 0.25, "validation_loss": 1.25, "validation_accuracy": 0.5, "learning_rate": 0.01,
    "seconds": 3.0, "validation_seconds": 1.0, "images_per_s": 80.0,
}  # fmt: skip


def test_a_line_says_where_an_epoch_is_and_how_long_the_rest_takes():
    assert describe_epoch(ROW, 4) == (
        "epoch 2 of 4: loss 1.500, accuracy 25.0%, validation 50.0% (loss 1.250), learning rate 0.01, 80 a second, "
        "about 8 s left"
    )


def test_mixed_images_have_no_accuracy():
    assert describe_epoch(ROW | {"accuracy": None}, 4).startswith("epoch 2 of 4: loss 1.500, validation 50.0%")
