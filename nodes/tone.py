"""Whether a text differs from a drafted one in nothing but its tone; whatever is not known to be tone counts as new.

A list of what must not be said is never whole: an amount can be spelled, a link written out, a promise made
with the draft's own words. So every sentence must be one of the draft, word for word and in its order but for
politeness and for words that stand for one another, or a courtesy by itself. English alone is known.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

Words = tuple[str, ...]

#: what is reported of a text at most
MOST_REPORTED, LONGEST_REPORTED = 3, 80
#: a sentence with more clauses is taken for new: a long one would take its time
MOST_CLAUSES = 40

#: may be put into a sentence, or left out of it
_POLITE = frozenset({
    "a", "an", "and", "gladly", "just", "kindly", "much", "please", "quite", "really", "simply",
    "sincerely", "so", "that", "the", "truly", "very", "warmly",
})  # fmt: skip
#: stand for one another
_SAME = {
    "i": "we", "me": "us", "my": "our", "hi": "hello", "dear": "hello",
    "might": "may", "could": "may", "can": "may",
    "speak": "talk", "chat": "talk", "begin": "start",
}  # fmt: skip
_SHORT = {
    "i'm": "i am", "i'd": "i would", "i've": "i have", "we're": "we are", "we'd": "we would", "we've": "we have",
    "you're": "you are", "you've": "you have", "it's": "it is", "that's": "that is",
    "can't": "cannot", "don't": "do not", "doesn't": "does not", "isn't": "is not", "aren't": "are not",
}  # fmt: skip
#: without its article it says the contrary
_FEW = re.compile(r"\ba (few|little)\b")
_WISH = re.compile(r"\bwould (?:like|love|be (?:glad|happy|pleased|delighted))\b")
#: what somebody thanks for, and what is sorry for
_OURS = r"(?:your\ )?(?:patience|understanding|time|trust|business|loyalty|feedback|partnership)"
_YOURS = rf"your\ {_OURS}(?:\ {_OURS})*".replace(r"your\ (?:your\ )?", r"your\ ")
_SORRY = r"(?:\ for\ (?:(?:this|any|all)\ )?(?:inconvenience|trouble))?"
_WE = r"(?:(?:we|us|our|from|with)\ (?:all\ )?(?:(?:are|deeply|greatly|sincere|respectfully)\ )*)?"
#: whole courtesies, as they are compared: none asks for, gives, dates or binds to anything. Words by themselves would be
#: no list of courtesies: with those of thanks one asks for business
_PHRASES = re.compile(rf"""
    (?:(?:we\ )?(?:hope|trust)\ )?(?:this\ (?:message|note|letter|mail)\ finds\ you|you\ are(?:\ doing)?|all\ is)\ well
    |(?:have|wishing\ you|we\ wish\ you)
        \ (?:nice|good|great|lovely|pleasant|wonderful)\ (?:day|week|weekend|evening)(?:\ ahead)?
    |(?:we\ (?:am|are)?\ ?)?look(?:ing)?\ forward\ to
        \ (?:hearing\ from|speaking\ (?:to|with)|talking\ (?:to|with))\ you(?:\ soon)?
    |{_WE}(?:(?:many|most|again)\ )?(?:thanks|thank\ you)(?:\ (?:again|all|both|everybody|everyone|team))*
        (?:\ for\ (?:{_YOURS}|working\ with\ us))?(?:\ again)?
    |{_WE}(?:appreciate\ (?:you|{_YOURS})|grateful(?:\ to\ you)?(?:\ for\ {_YOURS})?)(?:\ greatly)?
    |{_YOURS}\ (?:is|are)\ (?:greatly\ |deeply\ )?(?:appreciated|important\ to\ us)
    |you\ are\ (?:most\ )?(?:important\ to\ us|valued)
    |(?:it\ is\ )?(?:great\ |our\ )*pleasure(?:\ (?:working|to\ be\ working)\ with\ you)?
    |{_WE}(?:sorry|apologize|apologies|our\ apologies|our\ sincere\ apologies|sincere\ apologies){_SORRY}(?:\ again)?
    |(?:with\ )?(?:(?:our|many|most)\ )?(?:(?:kind|kindest|best|warm|warmest|sincere|cordial|great)\ )*
        (?:regards|wishes|greetings)
        (?:\ (?:to|from)\ (?:you|us|you\ all|us\ all|our\ team|team|everybody|everyone))?
    |respectfully|cordially|cheers|bye|goodbye|respectfully\ yours|cordially\ yours
    |yours(?:\ (?:faithfully|cordially|respectfully))?|all\ best|hello(?:\ (?:all|there|again|everyone|everybody|team))?
""", re.VERBOSE)  # fmt: skip
#: marks that one could count
_TALLY = re.compile(r"(?:[!?.,;:'\"()*-][ \t]*){4,}")
#: how often a sentence may be said that is no sentence of the draft
_MOST_OFTEN = 2
_GREETING = re.compile(r"\bgood (?:morning|afternoon|evening|day)\b")
#: English letters have these; the words above mean something else in another language
_ENGLISH = frozenset(["the", "you", "your", "and", "with", "this", "that", "us", "our", "are", "they", "of", "to", "we", "for"])
_LEAST_ENGLISH = 0.1
_TEAM = frozenset({"team", "all"})
#: besides what is written in ASCII, a text has these, and whatever the draft has
_PLAIN = frozenset(" \n–—’‘“”…")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "…": ". ", "—": ", ", "–": " – "})
_SENTENCE = re.compile(r"(?<=[.!?])[\"')]*\s+|\n+")
_CLAUSE = re.compile(r"(?<=[,;:])\s+| – | - ")
_EDGES = "\"'().,;:!?"
_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")


def new_words(text: str, drafted: str) -> list[str]:
    """What a text says that the drafted one does not, sentence by sentence; nothing where only the tone is another one."""
    strange = sorted(one for one in set(text) - _PLAIN - set(drafted) if not "!" <= one <= "~")
    if strange:
        return [f"the character U+{ord(one):04X}" for one in strange[:MOST_REPORTED]]
    known, names = Counter(_compared(" ".join(clauses)) for clauses in _sentences(drafted)), _names(drafted)
    english = _is_english(drafted)
    new = [" ".join(clauses) for clauses in _sentences(text) if not _is_tone(clauses, known, names, english=english)]
    said = Counter(_compared(" ".join(clauses)) for clauses in _sentences(text))
    new += [" ".join(words) for words, often in said.items() if often > max(known[words], _MOST_OFTEN)]
    new += [marks for marks in _TALLY.findall(text) if marks not in drafted]
    return [f"“{one[:LONGEST_REPORTED]}…”" if len(one) > LONGEST_REPORTED else f"“{one}”" for one in new[:MOST_REPORTED]]


def _is_english(drafted: str) -> bool:
    words = _spelled_out(drafted)
    return sum(word in _ENGLISH for word in words) >= _LEAST_ENGLISH * len(words)


def _sentences(text: str) -> Iterator[list[str]]:
    """The sentences and lines of a text, each as its clauses."""
    for sentence in _SENTENCE.split(text.translate(_QUOTES)):
        if clauses := [clause for clause in _CLAUSE.split(sentence.strip()) if clause.strip()]:
            yield clauses


def _is_tone(clauses: Sequence[str], known: Collection[Words], names: Collection[Words], *, english: bool) -> bool:
    """Whether a sentence is made of whole sentences of the draft and of courtesies."""
    if not english:
        return _compared(" ".join(clauses)) in known
    if len(clauses) > MOST_CLAUSES:
        return False
    reached = [True] + [False] * len(clauses)
    for end in range(1, len(clauses) + 1):
        reached[end] = any(
            reached[start]
            and (_compared(" ".join(clauses[start:end])) in known or (start == end - 1 and _courteous(clauses[start], names)))
            for start in range(end)
        )
    return reached[-1]


def _courteous(clause: str, names: Collection[Words]) -> bool:
    """Whether a clause is a courtesy, or greets somebody whom the draft names."""
    written = [word for word in (word.strip(_EDGES) for word in clause.split()) if word]
    if not all(_WORD.fullmatch(word) for word in written) or not written:
        return False
    first, *rest = written
    named = tuple(rest[:-1] if rest and rest[-1] in _TEAM else rest)
    if named and first.lower() in ("hello", "hi", "dear") and any(_stands_in(named, name) for name in names):
        return True
    if any(word[1:] != word[1:].lower() for word in written) or any(word != word.lower() and word != "I" for word in rest):
        return False
    return _PHRASES.fullmatch(" ".join(_compared(clause))) is not None


def _stands_in(words: Words, others: Words) -> bool:
    return any(words == others[at : at + len(words)] for at in range(len(others)))


def _compared(sentence: str) -> Words:
    """The words of a sentence as they are compared: what is no plain word stays as it is written, and a question a question."""
    compared = " ".join(word for word in _spelled_out(sentence) if word not in _POLITE)
    asked = ("?",) if sentence.rstrip("\"') ").endswith("?") else ()
    return (*(_SAME.get(word, word) for word in _GREETING.sub("hello", _WISH.sub("wish-to", compared)).split()), *asked)


def _spelled_out(sentence: str) -> list[str]:
    words = [word.strip(_EDGES) for word in sentence.split()]
    lowered = [word.lower() if _WORD.fullmatch(word) else word for word in words if word]
    return _FEW.sub(r"a-\1", " ".join(_SHORT.get(word, word) for word in lowered)).split()


def _names(drafted: str) -> list[Words]:
    """Runs of words with a capital in the draft that do not begin a sentence: people and companies."""
    names: list[Words] = []
    for clauses in _sentences(drafted):
        run: list[str] = []
        for word in [*(word.strip(_EDGES) for word in " ".join(clauses).split()[1:]), ""]:
            if word[:1].isupper() and word != "I":
                run.append(word)
            elif run:
                names.append(tuple(run))
                run = []
    return names
