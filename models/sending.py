"""What must not be sent to a model, whatever the reasoner made of it."""

from errors import NoAnswer
from models.calls import Limits, Question
from models.masking import leaks


def refuse_what_must_not_leave(question: Question, limits: Limits) -> None:
    """Raises NoAnswer for a question that is too long, or in which a card, an address, a telephone or a key stands."""
    size = len(question.system) + len(question.user)
    if size > limits.prompt_characters:
        says = f"The case is too large for a model ({size:,} characters, and {limits.prompt_characters:,} are the most)."
        raise NoAnswer(says, "limit")
    found = sorted({*leaks(question.system), *leaks(question.user)})
    if found:
        says = f"Nothing was sent to a model, since {found[0]} would have left; the prompt {question.prompt} must mask it."
        raise NoAnswer(says, "blocked")
