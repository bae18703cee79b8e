"""Made-up reviews for the tests."""

import numpy as np

GOOD, BAD = ("wonderful", "moving", "brilliant"), ("dull", "awful", "boring")
OTHERS = [
    "the",
    "film",
    "was",
    "seen",
    "by",
    "us",
    "with",
    "a",
    "friend",
    "on",
    "some",
    "day",
    "and",
    "it",
    "had",
    "music",
]


def review(number, label):
    """A review of some words, of which one says whether it is good (1) or bad (0)."""
    random = np.random.default_rng([number, label])
    words = list(random.choice(OTHERS, 4 + number % 9))
    words.insert(int(random.integers(len(words))), str(random.choice(GOOD if label else BAD)))
    return " ".join(words) + (".<br />" if number % 2 else ".")


def write_reviews(root, train=20, test=8):
    """A folder `split/class/text`; half of the texts hold a line break of HTML."""
    for split, count, first in (("train", train, 0), ("test", test, 10_000)):
        for label, name in enumerate(("neg", "pos")):
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count // 2):
                (folder / f"{number}.txt").write_text(review(first + number, label), encoding="utf-8")
    return root
