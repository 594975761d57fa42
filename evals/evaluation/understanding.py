"""How well customer messages are understood: phrasings that nothing was built from, wrapped in noise of their own.

A folder holds `<intent>.txt`, one phrasing a line, `{order}` where an order is named.

>>> print(table(measure(read_phrasings(folder), intents.understand)))
"""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from errors import BadInput
from strict_yaml import read_yaml

#: Expected of a message that asks for nothing, or for nothing that can be done: a person answers it.
FOR_A_PERSON = frozenset({"other", "chatter"})
#: Given of a message that no request was found in; the caller escalates both.
NOT_UNDERSTOOD = "not understood"
ESCALATED = ("other", NOT_UNDERSTOOD)
#: The share of messages without any punctuation.
WITHOUT_STOPS = 0.1
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)

Understand = Callable[[str], Mapping[str, Any]]
Phrasings = Mapping[str, Sequence[str]]
#: expected, given, confidence, message
Row = tuple[str, str, float, str]

_NOISE: Mapping[str, Sequence[str]] = read_yaml(Path(__file__).with_name("noise.yaml"), "list of noise").data
ORDERS, GREETINGS, CHATTER, CLOSINGS, INJECTIONS = (
    _NOISE[name] for name in ("orders", "greetings", "chatter", "closings", "injections")
)


def read_phrasings(folder: Path) -> dict[str, list[str]]:
    """The phrasings by intent. Raises BadInput for a folder without any."""
    texts = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))}
    found = {intent: [line for line in text.splitlines() if line.strip()] for intent, text in texts.items()}
    if not any(found.values()):
        raise BadInput(
            f"There are no phrasings in {folder}; it should hold files such as damaged.txt, with one phrasing per line."
        )
    return found


def measure(phrasings: Phrasings, understand: Understand, *, noise: bool = True, seed: int = 0) -> dict[str, Any]:
    """Figures as plain data; every phrasing is one message, with `noise` a different one for each `seed`."""
    rows = []
    begun = time.perf_counter()
    for expected, text in messages(phrasings, noise=noise, seed=seed):
        given = understand(text)
        rows.append((expected, given["intent"] or NOT_UNDERSTOOD, given["confidence"], text))
    return {"ms_per_message": round(1000 * (time.perf_counter() - begun) / len(rows), 2), **_figures(rows)}


def messages(phrasings: Phrasings, *, noise: bool, seed: int = 0) -> Iterator[tuple[str, str]]:
    """(intent, message) of every phrasing."""
    random_ = random.Random(seed)
    for intent, lines in phrasings.items():
        for line in lines:
            text = line.replace("{order}", random_.choice(ORDERS).format(n=random_.randint(1_000, 99_999)))
            yield intent, _in_noise(text, random_) if noise else text


def _figures(rows: Sequence[Row]) -> dict[str, Any]:
    confusion: dict[str, Counter[str]] = {}
    for expected, given, _, _ in rows:
        confusion.setdefault(expected, Counter())[given] += 1
    wrong = [row for row in rows if row[1] not in (row[0], *ESCALATED)]
    return {
        "messages": len(rows),
        #: understood as what it is; what is for a person may also be not understood
        "exact": _share(rows, _row_is_right),
        #: an intent that would be acted on and is not that of the message
        "unsafe": len(wrong) / len(rows),
        #: a request that could be served and is not understood
        "refused": _share([row for row in rows if row[0] not in FOR_A_PERSON], lambda row: row[1] in ESCALATED),
        "by_intent": {intent: _share([row for row in rows if row[0] == intent], _row_is_right) for intent in confusion},
        "confusion": {intent: dict(counts) for intent, counts in confusion.items()},
        "calibration": _calibration(rows),
        "wrong": [{"expected": row[0], "given": row[1], "confidence": row[2], "text": row[3]} for row in wrong],
    }


def _row_is_right(row: Row) -> bool:
    expected, given, _, _ = row
    return given in ESCALATED if expected in FOR_A_PERSON else given == expected


def _share(rows: Sequence[Row], holds: Callable[[Row], bool]) -> float:
    return sum(map(holds, rows)) / len(rows) if rows else 0.0


def _calibration(rows: Sequence[Row]) -> list[dict[str, float]]:
    """Of messages that were understood: by confidence, how many of them rightly."""
    bins = []
    for low, high in pairwise(BINS):
        within = [row for row in rows if row[1] != NOT_UNDERSTOOD and low <= row[2] and (row[2] < high or high == 1.0)]
        if within:
            mean = sum(row[2] for row in within) / len(within)
            right = _share(within, _row_is_right)
            bins.append({"from": low, "to": high, "messages": len(within), "confidence": mean, "right": right})
    return bins


def table(figures: Mapping[str, Any]) -> str:
    """The figures for a person to read: shares, the confusion matrix, the calibration."""
    lines = [
        f"{figures['messages']} messages: exact {figures['exact']:.1%}, unsafe {figures['unsafe']:.2%}, "
        f"refused {figures['refused']:.1%}, {figures['ms_per_message']} ms each",
        "",
    ]
    confusion = figures["confusion"]
    every = {given for counts in confusion.values() for given in counts}
    columns = sorted(every, key=lambda name: (name == NOT_UNDERSTOOD, name))
    width = max(map(len, [*confusion, "expected"])) + 2
    lines.append("expected".ljust(width) + "  ".join(columns) + "  right")
    for intent, counts in confusion.items():
        cells = "  ".join(str(counts.get(column, "·")).rjust(len(column)) for column in columns)
        lines.append(f"{intent.ljust(width)}{cells}  {figures['by_intent'][intent]:.1%}")
    lines += ["", "confidence   messages  mean    right"]
    for row in figures["calibration"]:
        lines.append(f"{row['from']:.2f} - {row['to']:.2f}  {row['messages']:8d}  {row['confidence']:.1%}  {row['right']:.1%}")
    return "\n".join(lines)


def _in_noise(request: str, random_: random.Random) -> str:
    """A message around a request, as people send them: greeting, chatter before and after, closing, slips."""
    before = random_.sample(CHATTER, random_.choice((0, 0, 1, 1, 2)))
    after = random_.sample(CHATTER, random_.choice((0, 0, 1, 1, 2)))
    sentences = [*before, request, *after, random_.choice(CLOSINGS)]
    if random_.random() < 0.1:
        sentences.append(random_.choice(INJECTIONS))
    sentences = [random_.choice(GREETINGS), *(_slipped(sentence, random_) for sentence in sentences)]
    if random_.random() < WITHOUT_STOPS:
        return re.sub(r"[.,;:!?\n]+", " ", " ".join(sentences)).lower()
    separator = random_.choice((" ", " ", "\n", "\n\n"))
    return separator.join(filter(None, sentences))


def _slipped(sentence: str, random_: random.Random) -> str:
    """A sentence, sometimes in capitals, in small letters, without its stop, or with two neighbours swapped."""
    match random_.choices(("as it is", "small", "capitals", "stop", "swap"), weights=(50, 10, 10, 10, 20))[0]:
        case "small":
            return sentence.lower().rstrip(".!")
        case "capitals":
            return sentence.upper()
        case "stop":
            return sentence.rstrip(".!") + random_.choice(("", "!", "!!", ".."))
        case "swap":
            places = [i for i in range(len(sentence) - 1) if sentence[i : i + 2].replace(" ", "").isalpha()]
            if places:
                at = random_.choice(places)
                return sentence[:at] + sentence[at + 1] + sentence[at] + sentence[at + 2 :]
    return sentence
