"""Made-up run records of transferred networks."""

import numpy as np
from tests.factories.records import make_cnn_record, make_judged_record

JUDGED = 1000
LITE1 = "timm:tf_efficientnet_lite1"


def make_transfer_record(model, right, *trains, weights="a" * 64, network=LITE1, fit_s=100.0, size=160, **changes):
    """A record of a transferred network that got the first images right, and whose phases trained so."""
    phase = {"inputs": "images", "epochs": 2, "kept_epoch": 2, "validation_accuracy": 0.5, "seconds": 1.0}
    phases = [phase | {"phase": n, "train": what, "trained_parameters": 9} for n, what in enumerate(trains, start=1)]
    judged = make_judged_record(model, np.arange(JUDGED) < right)
    record = make_cnn_record(accuracy=right / JUDGED, metrics=judged["metrics"], phases=phases, **changes)
    record["params"] = {"network": network, "weights_sha256": weights, "input": {"size": size, "policy": "squash"}}
    record["timings"]["fit_s"] = [fit_s]
    return record | {"model": model, "family": "transfer"}
