"""Made-up predictions and run records for the tests."""

import io
from copy import deepcopy

import numpy as np
import pandas as pd
from PIL import Image

from cifar_pipelines.judging.outcomes import pack_outcomes
from cifar_pipelines.judging.statistics import wilson_interval

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def make_predictions(n=200, class_names=CLASS_NAMES, skill=1.5, seed=0, present=None) -> pd.DataFrame:
    """Predictions of a classifier with the given skill; `present` limits the true classes."""
    generator = np.random.default_rng(seed)
    n_classes = len(class_names)
    label = np.resize(np.arange(n_classes) if present is None else np.asarray(present), n)
    logits = generator.normal(size=(n, n_classes)) + skill * np.eye(n_classes)[label]
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "image_id": [f"test-{i:05d}" for i in range(n)],
            "label": label,
            "prediction": probability.argmax(axis=1),
            "probability": list(probability),
        }
    )


def make_images(ids, seed=0) -> dict[str, bytes]:
    """A small PNG for each id."""
    generator = np.random.default_rng(seed)
    images = {}
    for image_id in ids:
        buffer = io.BytesIO()
        pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(buffer, "png")
        images[image_id] = buffer.getvalue()
    return images


def make_record(
    model="logistic_regression",
    setting=(2, 1),
    fit_s=(7.1, 7.3),
    accuracy=0.6,
    created="2026-11-20T10:58:11+00:00",
    host_cores=2,
    **changes,
) -> dict:
    """A complete run record; `changes` replace top-level keys, dicts are merged."""
    cores, executor_cores = setting
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / 500)
    record = {
        "schema_version": 1,
        "run_id": created.replace(":", ".").replace("+00.00", ".000Z"),
        "configuration": None,
        "created": created,
        "model": model,
        "family": "spark_ml",
        "engine": "Spark ML 3.5.9",
        "params": {"maxIter": 100},
        "justification": f"{model} is a strong baseline.",
        "data": {
            "source": "synthetic",
            "fingerprint": "0123456789012345",
            "class_names": list(CLASS_NAMES),
            "train_size": 10000,
            "test_size": 500,
            "seed": 42,
            "bad_images_skipped": 0,
        },
        "features": {
            "extractor": "kmeans_patches",
            "weights": "learned from the training subset",
            "input_size": 32,
            "dimension": 1600,
            "precision": "bf16",
        },
        "parallelism": {
            "setting": f"exec_{cores}x{executor_cores}",
            "asked": {
                "cores_max": cores,
                "executor_cores": executor_cores,
                "executor_memory_mb": 1024,
                "executors": cores // executor_cores,
            },
            "effective": {
                "master": "spark://127.0.0.1:4711",
                "embedded": True,
                "executors": cores // executor_cores,
                "cores": cores,
                "hosts": ["127.0.0.1"],
            },
            "host_cores": host_cores,
            "oversubscribed": cores > host_cores,
            "application_id": "app-20261120105811-0000",
            "log_dir": f"logs/{created}-exec_{cores}x{executor_cores}",
            "properties": {},
        },
        "timings": {"start_up_s": 6.1, "read_s": 1.2, "fit_s": list(fit_s), "predict_s": [0.4] * len(fit_s)},
        "host_load": {"before": 0.4, "after": 1.9, "other_cpu_share": 0.02},
        "metrics": {
            "n": 500,
            "accuracy": {
                "value": accuracy,
                "low": accuracy - half,
                "high": accuracy + half,
                "confidence": 0.95,
                "method": "Wilson",
            },
            **{f"{m}_{a}": accuracy for m in ("precision", "recall", "f1") for a in ("macro", "weighted")},
            "log_loss": 1.2,
            "roc_auc_ovr_macro": 0.93,
        },
        "probability_source": "native",
        "model_size_bytes": 123_000,
        "parameter_count": 16010,
        "resources": {
            "driver": {"peak_memory_mb": 900.0, "cpu_s": 8.2},
            "executors": [
                {
                    "id": str(i),
                    "host": "127.0.0.1",
                    "cores": executor_cores,
                    "peak_jvm_memory_mb": 800.0,
                    "peak_python_memory_mb": None,
                }
                for i in range(cores // executor_cores)
            ],
            "task_cpu_s": 0.8 * sum(fit_s),
            "task_run_s": 0.9 * cores * sum(fit_s),
            "gc_s": 0.4,
            "shuffle_read_bytes": 0,
            "shuffle_write_bytes": 0,
        },
        "versions": {"kedro": "1.7.0", "pyspark": "3.5.9"},
        "git_revision": "abc1234",
        "artifacts": {"predictions": "data/07_model_output/predictions"},
    }
    return _merged(record, changes)


def make_judged_record(model, right, image_ids=None, **changes) -> dict:
    """A record whose metrics hold which images the model got right; `right` is n booleans."""
    right = np.asarray(right, dtype=bool)
    ids = [f"test-{i:05d}" for i in range(len(right))] if image_ids is None else image_ids
    low, high = wilson_interval(int(right.sum()), len(right))
    accuracy = {"value": right.mean(), "low": low, "high": high, "confidence": 0.95, "method": "Wilson"}
    judged = {"n": len(right), "accuracy": accuracy, "outcomes": pack_outcomes(ids, right), "calibration_error": 0.04}
    return make_record(model, accuracy=float(right.mean()), metrics=judged, **changes)


def _merged(record: dict, changes: dict) -> dict:
    """Replaces top-level keys of a record; dicts are merged."""
    for key, value in deepcopy(changes).items():
        if isinstance(value, dict) and isinstance(record.get(key), dict):
            record[key].update(value)
        else:
            record[key] = value
    return record


def make_extraction_record(setting=(2, 1), extract_s=(30.0,), **changes) -> dict:
    """A complete run record of a feature extraction."""
    record = make_record(**{"model": "kmeans_patches", "setting": setting, "family": "features"} | changes)
    record["engine"] = "Spark 3.5.9, Python workers"
    record["params"] = {}
    record["metrics"] = None
    record["timings"] = {"start_up_s": 6.1, "worker_start_up_s": 2.0, "extract_s": list(extract_s)}
    return record


def make_history(epochs=4, images_per_s=1000.0, images=10000, best=0.8) -> list[dict]:
    """A learning curve, one row per epoch."""
    return [
        {
            "epoch": epoch,
            "loss": 2.3 - 1.5 * epoch / epochs,
            "accuracy": best * (1 - 0.5**epoch) - 0.05,
            "validation_loss": 2.3 - 1.4 * epoch / epochs,
            "validation_accuracy": best * (1 - 0.5**epoch),
            "learning_rate": 0.75 * (1 - 0.9 * epoch / epochs),
            "seconds": images / images_per_s,
            "validation_seconds": 0.5,
            "images_per_s": images_per_s,
        }
        for epoch in range(1, epochs + 1)
    ]


ENGINES = {"bigdl": "BigDL Orca 2.4.0", "torch_distributor": "TorchDistributor (Spark 3.5.9)"}


def make_cnn_record(
    engine="bigdl",
    setting=(2, 1),
    images_per_s=1000.0,
    overhead_s=20.0,
    epochs=4,
    network="airbench",
    restarts=0,
    resumed_after_epoch=None,
    created="2026-11-20T10:58:11+00:00",
    host_cores=2,
    accuracy=0.8,
    **changes,
) -> dict:
    """A complete run record of a network; its fit time is that of its epochs and the overhead."""
    cores, executor_cores = setting
    images = changes.get("data", {}).get("train_size", 10000)
    history = make_history(epochs, images_per_s, images, best=accuracy)
    train, validate = (sum(row[name] for row in history) for name in ("seconds", "validation_seconds"))
    workers = [
        {
            "rank": rank,
            "threads": executor_cores,
            "batch_size": 500 * executor_cores // cores,
            "images": images * executor_cores // cores,
            "cpu_s": 0.4 * executor_cores * train,
            "peak_memory_mb": 1200.0,
            "start_s": 3.1,
            "read_s": 1.4,
        }
        for rank in range(cores // executor_cores)
    ]
    record = make_record(f"{network}_{engine}", setting, [train + validate + overhead_s], accuracy, created, host_cores)
    record |= {
        "family": "bigdl_cnn",
        "engine": ENGINES[engine],
        "params": {
            "network": network,
            "options": {"width": 64},
            "recipe": {"epochs": epochs, "batch_size": 500},
            "image_size": 32,
            "validation_images": 1000,
        },
        "justification": f"{network} learns in few steps.",
        "features": None,
        "history": history,
        "prediction": {"batch_1_ms": 3.21, "batch_250_ms": 0.456, "batch": 250, "threads": 1},
        "workers": workers,
        "restarts": restarts,
        "resumed_after_epoch": resumed_after_epoch,
        "precision": "bf16",
        "probability_source": "softmax of the logits",
    }
    record["timings"] |= {
        "train_s": train,
        "validate_s": validate,
        "read_s": 1.4,
        "engine_overhead_s": overhead_s,
        "prepare_prediction_s": 4.0,
    }
    record["resources"]["task_cpu_s"] = 0.1 + sum(worker["cpu_s"] for worker in workers)
    return _merged(record, changes)


def make_study(host_cores=2, **changes) -> dict[str, dict]:
    """Three classifiers under four settings, and the feature extraction under each, by record name."""
    seconds = {(1, 1): 12.0, (2, 1): 7.0, (2, 2): 6.6, (4, 2): 7.4}
    models = {"logistic_regression": (0.62, 1.0), "random_forest": (0.55, 2.5), "naive_bayes": (0.41, 0.2)}
    records = {}
    for minute, (setting, base) in enumerate(seconds.items()):
        created = f"2026-11-20T10:{minute:02d}:11+00:00"
        name = f"exec_{setting[0]}x{setting[1]}"
        common = {"created": created, "host_cores": host_cores, **changes}
        for model, (accuracy, factor) in models.items():
            times = [base * factor, base * factor * 1.05]
            records[f"{name}/{model}"] = make_record(model, setting, times, accuracy, **common)
        records[f"{name}/features"] = make_extraction_record(setting, [4 * base], **common)
    return records


def make_grown_study(**changes) -> dict[str, dict]:
    """`make_study` with two engines under three settings, and one of them on twice the images."""
    records = make_study(**changes)
    del records["exec_4x2/features"]
    speed = {(1, 1): 520.0, (2, 1): 930.0, (2, 2): 1010.0}
    for minute, (setting, images_per_s) in enumerate(speed.items()):
        common = {"setting": setting, "created": f"2026-11-20T11:{minute:02d}:11+00:00", **changes}
        name = f"exec_{setting[0]}x{setting[1]}"
        records[f"{name}/bigdl"] = make_cnn_record("bigdl", overhead_s=34.0, images_per_s=images_per_s, **common)
        records[f"{name}/torch"] = make_cnn_record(
            "torch_distributor", overhead_s=12.0, images_per_s=1.03 * images_per_s, accuracy=0.805, **common
        )
        larger = common | {"data": {"train_size": 20000, "fingerprint": "20000" + 11 * "a"}}
        records[f"{name}/larger"] = make_cnn_record(
            "torch_distributor", overhead_s=13.0, images_per_s=images_per_s, accuracy=0.88, **larger
        )
    return records
