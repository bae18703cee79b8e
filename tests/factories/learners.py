"""Configuration of two small learners on a stream."""

from cifar_pipelines.common.configuration import load_configuration

CHOSEN = ("stream_ridge", "stream_mlp_replay")
MODELS = {
    "stream_ridge": {"learner": "ridge", "options": {"penalty": 0.1}, "justification": "Exact."},
    "stream_mlp_replay": {
        "learner": "mlp", "options": {"hidden": 8, "replay": 30, "batch_size": 8}, "justification": "Remembers.",
    },
}  # fmt: skip


def block(folder, **changes):
    """The block `streaming` of the parameters, for frames of a folder."""
    block = load_configuration()["parameters"]["streaming"]
    law = {"block": 16, "label_delay": 0, "window": 50, "holdout_every": 2}
    given = {"landing": str(folder), "selected": list(CHOSEN), "models": MODELS, "law": law, "frames_per_trigger": 2}
    return block | given | {"holdout_images": 20, "patience_s": 30} | changes
