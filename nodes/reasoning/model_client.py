"""Asking a model on behalf of a run: within budgets, kept in the ledger, and not again what was answered.

A question has no effect on the world, so it need not be asked exactly once. It is written down before it is sent; a run that
comes back to it after a crash takes the answer that is there, and what was never answered counts with all it could have cost.
"""

import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from errors import NoAnswer, Refused
from ledger.base import Ledger
from ledger.model_calls import ModelCall, ModelCallEnd, Spent, check_budgets
from models.calls import Limits, Model, Question

#: Questions of one purpose in one look of a run: three drafts, and one more read. What was cut off by a crash counts.
MOST_ASKED = 4
#: a token is at least so many characters, nearly always
_CHARACTERS_OF_TOKEN = 3
_MILLION = 1_000_000


class Asker:
    """Asks one model for whoever has a ledger; any number of threads may.

    A recorded exception has a ledger of its own, so what a day may take is counted here as well.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self._today: dict[str, ModelCall] = {}
        self._counting = threading.Lock()

    def ask(self, question: Question, ledger: Ledger, run_id: str = "", look: int = 0) -> Mapping[str, Any]:
        """The answer to a question. Raises NoAnswer, also where a budget is used up."""
        answered = ledger.model_answer(question.digest, run_id, look)
        if answered is not None:
            return answered
        sent = self._begun(question, ledger, run_id, look)
        try:
            reply = self._model.ask(question)
        except NoAnswer as failed:
            # what the server took all the same is not known
            end = ModelCallEnd(
                status="failed", ended_at=datetime.now(UTC), input_tokens=sent.reserved_tokens, cost_cents=sent.cost_cents,
                error=str(failed),
            )  # fmt: skip
            self._end(sent, end, ledger)
            raise
        end = ModelCallEnd(
            status="answered", ended_at=datetime.now(UTC), input_tokens=reply.input_tokens, output_tokens=reply.output_tokens,
            cost_cents=self._cents(reply.input_tokens, reply.output_tokens), latency_ms=reply.latency_ms, retries=reply.retries,
            answer=reply.answer,
        )  # fmt: skip
        self._end(sent, end, ledger)
        return reply.answer

    def _begun(self, question: Question, ledger: Ledger, run_id: str, look: int) -> ModelCall:
        asked = sum(one.look == look and one.purpose == question.purpose for one in ledger.model_calls(run_id)) if run_id else 0
        if asked >= MOST_ASKED:
            raise NoAnswer(f"A model was asked {asked} times in this look already.", "budget")
        reads, writes = (len(question.system) + len(question.user)) // _CHARACTERS_OF_TOKEN, self._limits.output_tokens
        call = ModelCall(
            call_id=uuid.uuid4().hex, run_id=run_id, look=look, purpose=question.purpose, model=self._model.name,
            prompt=question.prompt, question=question.digest, status="sent", at=datetime.now(UTC),
            reserved_tokens=reads + writes, cost_cents=self._cents(reads, writes),
        )  # fmt: skip
        limits = self._limits
        budgets: dict[str, Any] = {
            "run_tokens": limits.run_tokens,
            "day_tokens": limits.day_tokens,
            "day_cents": limits.day_cents,
        }
        try:
            with self._counting:
                self._today = {key: one for key, one in self._today.items() if one.at.date() == call.at.date()}
                check_budgets(call, Spent(), Spent.by(self._today.values()), **budgets)
                begun = ledger.begin_model_call(call, **budgets)
                self._today[call.call_id] = begun
                return begun
        except Refused as refused:
            raise NoAnswer(str(refused), "budget") from refused

    def _end(self, sent: ModelCall, end: ModelCallEnd, ledger: Ledger) -> None:
        kept = ledger.end_model_call(sent.call_id, end)
        with self._counting:
            self._today[sent.call_id] = kept

    def _cents(self, reads: int, writes: int) -> float:
        return (reads * self._limits.price_input + writes * self._limits.price_output) / _MILLION
