"""What was found in the images or texts that scores depend on."""

from cifar_pipelines.common.contents import content_of
from cifar_pipelines.common.words import counted, some
from cifar_pipelines.records.parts import Data

MOST_NAMED = 60  # classes


def doubts(data: Data) -> list[tuple[str, str]]:
    """What makes scores on these images or texts doubtful: a few words for each, and a sentence."""
    content = content_of(vars(data))
    found = [
        (f"The same {content.noun} in two splits. ", f"{counted(number, content.noun)} of the split {split} {'is' if number == 1 else 'are'} also "
         f"in the split {other}, {content.same}: scores favour models that memorise.")
        for split, _, other, number in ((*pair.split(), number) for pair, number in data.copies.items())
    ]  # fmt: skip
    if untested := data.classes_without_test_images:
        found.append((
            "Classes that are not judged. ",
            f"{some(untested, MOST_NAMED, 'class', 'classes')}: no {data.judged_on} shows {'it' if len(untested) == 1 else 'them'}, which counts "
            "as 0 in macro averages, so that these are too low.",
        ))  # fmt: skip
    return found
