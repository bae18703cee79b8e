"""Which variant of a network to ship, in a sentence."""

from collections.abc import Sequence

from cifar_pipelines.common.words import counted, three_digits
from cifar_pipelines.judging.statistics import ALPHA
from cifar_pipelines.records.deployment_record import Limits, VariantResult

MEGABYTE = 1e6
CHOSEN_AT = 1  # images per call: what decides is how long one image takes


def lost_points(variant: VariantResult, original: VariantResult) -> float:
    """Accuracy that a variant has lost against the original on the images that decide, in points; negative where it gained."""
    return 100 * (original.chosen_by.accuracy - variant.chosen_by.accuracy)


NOTHING_TO_CHOOSE_BY = (
    "None is named to ship: chosen by its accuracy on the test images, it would be said to be better than it is. Cut validation images from "
    "training (--params validation.share=0.1), train the network on the others, and measure again."
)


def choose_variant(variants: Sequence[VariantResult], limits: Limits, images: int) -> tuple[str | None, str]:
    """Chooses the fastest variant for single images among those that keep the limits and are not hollow.

    Args:
        variants: The variants, the original first.
        limits: The limits.
        images: Validation images, which decide: on test images nothing is chosen.

    Returns:
        Its name, or None where no variant keeps the limits or there are no validation images, and the answer in words.
    """
    if not images:
        return None, NOTHING_TO_CHOOSE_BY
    original = variants[0]
    within = f"at most {limits.accuracy_loss:g} points of accuracy lost, at most {limits.file_mb:g} MB"
    real = [variant for variant in variants if not variant.hollow]
    kept = [variant for variant in real if _keeps(variant, original, limits)]
    if not kept:
        smallest = min(real, key=lambda variant: variant.file_bytes)
        return None, (
            f"None of {counted(len(real), 'variant')} keeps the limits ({within}). The smallest file is that of {smallest.name}, "
            f"{_megabytes(smallest)}, which loses {lost_points(smallest, original):.2f} points."
        )
    best = min(kept, key=lambda variant: variant.at(CHOSEN_AT).p50_ms)
    words = f"Ship {best.name}: it takes {three_digits(best.at(CHOSEN_AT).p50_ms)} ms for an image"
    if best is original:
        return best.name, f"{words}, and no other variant that keeps the limits ({within}) is faster."
    faster = original.at(CHOSEN_AT).p50_ms / best.at(CHOSEN_AT).p50_ms
    return best.name, (
        f"{words}, {faster:.2g} times as fast as the original, in {_megabytes(best)} instead of {_megabytes(original)}, with "
        f"{best.chosen_by.accuracy:.1%} accuracy instead of {original.chosen_by.accuracy:.1%}{_doubt(best, limits, images)}; "
        f"of {counted(len(kept), 'variant')} within the limits ({within}) it is the fastest."
    )


def _keeps(variant: VariantResult, original: VariantResult, limits: Limits) -> bool:
    # A difference of whole images, so that 0.5 points are not missed by the last bit of a float.
    lost = round(lost_points(variant, original), 9)
    return lost <= limits.accuracy_loss and variant.file_bytes <= limits.file_mb * MEGABYTE


def _doubt(best: VariantResult, limits: Limits, images: int) -> str:
    """What the images cannot tell of the loss."""
    quality = best.chosen_by
    shown = "shown" if quality.p_holm <= ALPHA else "not shown"
    most = 100 * quality.loss_high
    beyond = f", and a loss of up to {most:.1f} points is not excluded" if most > limits.accuracy_loss else ""
    return f" (a difference is {shown} with {images:,} validation images, p = {quality.p_holm:.2g}{beyond})"


def _megabytes(variant: VariantResult) -> str:
    return f"{three_digits(variant.file_bytes / MEGABYTE)} MB"
