"""What a model was asked and answered about a case, and what people noted on its result, for pages and reports."""

from collections.abc import Sequence

import orjson
from markupsafe import Markup

from evals.evaluation.notes import ResultNote
from graphs.transcripts import Exchange
from harmless import harmless
from rendering import clock, joined, markup, plain, words

#: of a question or an answer; a prompt has up to 60,000
_MOST_CHARACTERS = 60_000


def transcript_of(exchanges: Sequence[Exchange]) -> Markup:
    """Each question with its answer, to be opened; empty where no model was asked."""
    return joined(_exchange(number, one) for number, one in enumerate(exchanges, start=1))


def _exchange(number: int, one: Exchange) -> Markup:
    tokens = one.input_tokens + one.output_tokens
    outcome = "no answer" if one.answer is None else f"{tokens:,} tokens, {one.latency_ms / 1000:.1f} s"
    answer = one.error if one.answer is None else orjson.dumps(one.answer, option=orjson.OPT_INDENT_2).decode()
    parts = (("System", one.system), ("User", one.user), ("Answer", answer))
    title = f"Question {number}: {words(plain(one.purpose, 40))}"
    return markup(
        '<details class="r-case"><summary><b>{}</b> <span class="m-dim">{} · {} · {}</span></summary>{}</details>',
        title, plain(one.model, 80), plain(one.prompt, 80), outcome, joined(_part(*part) for part in parts),
    )  # fmt: skip


def _part(title: str, text: str) -> Markup:
    cut = harmless(text[:_MOST_CHARACTERS])
    return markup('<div class="m-dim m-small">{}</div><pre class="m-text m-mono m-said">{}</pre>', title, cut)


def notes_of(notes: Sequence[ResultNote]) -> Markup:
    """Each note with who wrote it when."""
    shown = "<p>{} <span class='m-dim'>{}, {}</span></p>"
    return joined(markup(shown, plain(note.text, 2_000), plain(note.by, 60), clock(note.at)) for note in notes)
