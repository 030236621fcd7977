"""Cleans the training text and splits it into documents (stories and book chapters)."""

import re
from pathlib import Path

END_OF_TEXT = "<|endoftext|>"

# UTF-8 that was once decoded as Windows-1252 and encoded again.
MOJIBAKE = {
    "â€œ": '"', "â€\x9d": '"', "â€™": "'", "â€˜": "'", "â€“": " - ", "â€”": " - ", "â€¦": "...", "â€Š": " ", "â€": '"',
}
TYPOGRAPHY = {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": " - ", "…": "...", "\u00a0": " ", "\r": ""}

# A piece shorter than this is the tail of the story before it (a line of dialogue, a moral), not a story.
SHORTEST_STORY = 250

# Names that may stand for each other without breaking a pronoun.
BOYS = "Tim Tom Ben Max Sam Jack Timmy Tommy Bob Billy John Jimmy Joe Leo Mark Jake Peter Johnny Charlie Bobby".split()
GIRLS = "Lily Mia Sue Sara Anna Lucy Amy Emma Molly Jane Sally Lila Ella Mandy Sarah Jenny Daisy Annie Kate Alice".split()
NAME = re.compile(r"\b(" + "|".join(BOYS + GIRLS) + r")\b")


def clean(text: str) -> str:
    """Repairs broken encoding, straightens quotes and dashes, and removes spaces before line ends."""
    for table in (MOJIBAKE, TYPOGRAPHY):
        for broken, repaired in table.items():
            text = text.replace(broken, repaired)
    text = re.sub(r"[\x80-\x9f]", "", text)
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text)


def split_documents(text: str) -> list[str]:
    """Splits cleaned text into documents.

    Text with `<|endoftext|>` is split there. Text without it has a blank line between paragraphs and a
    single line break between stories, as the first release of TinyStories has.
    """
    if END_OF_TEXT in text:
        pieces = text.split(END_OF_TEXT)
    else:
        pieces = []
        for piece in re.split(r"(?<!\n)\n(?!\n)", text):
            if pieces and len(piece) < SHORTEST_STORY:
                pieces[-1] += "\n" + piece
            else:
                pieces.append(piece)
    return [document for document in (piece.strip() for piece in pieces) if document]


def read_documents(paths: list[Path]) -> list[str]:
    """Returns the cleaned documents of several files, in order."""
    return [document for path in paths for document in split_documents(clean(path.read_text(encoding="utf-8")))]


def rename(story: str, random) -> str:
    """Returns the story with its characters renamed consistently: the cheapest way to see a story anew.

    `random` is a `random.Random`; a name is replaced by another of the same list, different names by different names.
    """
    present = list(dict.fromkeys(NAME.findall(story)))
    renamed: dict[str, str] = {}
    for names in (BOYS, GIRLS):
        old = [name for name in present if name in names]
        renamed.update(zip(old, random.sample(names, len(old))))
    return NAME.sub(lambda match: renamed[match.group(1)], story)
