"""Events are taken in once each; what is none is a dead letter, until somebody settles it."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from string import ascii_letters
from typing import Any

import psycopg
import pytest

from errors import BadInput, Refused, TryAgain
from graphs.ingestion import RawEvent, by_feed, by_post, ingest, ingest_dead_letter
from ledger.inbox import MOST_BODY_BYTES
from ledger.postgres import PostgresLedger
from ledger.records import Run
from ledger.services import Inbox
from tests.integration.arriving import BOUNDS, Arriving, an_event, raws

pytest_plugins = ["tests.integration.arriving"]


def test_a_batch_is_taken_in_one_by_one_in_its_order(arriving: Arriving) -> None:
    report = ingest(arriving.intake, raws(an_event("1"), "{", an_event("2"), an_event("1")))
    assert [one.source_id for one in report.taken_in] == ["1", "2"]
    assert [one.source_id for one in report.known] == ["1"]
    assert report.known[0].run_id == report.taken_in[0].run_id
    assert [run.run_id for run in arriving.begun] == [one.run_id for one in report.taken_in]
    assert [run.event.source_id for run in arriving.begun] == ["oms:1", "oms:2"]
    assert [run.status for run in arriving.ledger.runs()] == ["running"] * 2
    (letter,) = report.dead_letters
    assert "not valid JSON" in letter.reason
    assert report.stopped == ""


def test_the_same_batch_again_takes_nothing_in_and_begins_nothing(arriving: Arriving) -> None:
    batch = raws(an_event("1"), an_event("2"))
    first = ingest(arriving.intake, batch)
    again = ingest(arriving.intake, batch)
    assert (again.taken_in, again.known) == ([], first.taken_in)
    assert len(arriving.begun) == 2


def test_another_content_under_a_source_id_is_a_dead_letter(arriving: Arriving) -> None:
    report = ingest(arriving.intake, raws(an_event("1"), an_event("1", "O-9")))
    assert "already accepted with different content" in report.dead_letters[0].reason
    assert [run.event.subject for run in arriving.ledger.runs()] == ["O-4471"]


def test_a_feed_and_posts_under_its_name_are_one_source_and_others_are_not(arriving: Arriving) -> None:
    sources = (by_post("oms"), by_feed("oms.list_events"), by_post("shop"), "events.jsonl, line 1", "POST /events by oms, line 1")
    reports = [ingest(arriving.intake, raws(an_event("1"), source=source)) for source in sources]
    assert [len(report.taken_in) for report in reports] == [1, 0, 1, 1, 0]
    assert {run.event.source_id for run in arriving.ledger.runs()} == {"oms:1", "shop:1", "1"}


def test_a_feed_whose_tool_has_dots_or_strokes_in_its_name_is_of_its_system(arriving: Arriving) -> None:
    for name in ("oms.events.list", "oms.orders/changes"):
        ingest(arriving.intake, raws(an_event(name), source=by_feed(name)))
    assert {run.event.source_id for run in arriving.ledger.runs()} == {"oms:oms.events.list", "oms:oms.orders/changes"}


def test_a_value_that_no_index_can_hold_is_a_dead_letter_and_stops_nobody_behind_it(arriving: Arriving) -> None:
    chance = Random(1)
    customer = "".join(chance.choices(ascii_letters, k=20_000))
    asked = {"event": "support.message", "ticket_id": "T-1", "customer_id": customer, "text": "Hello"}
    huge = {**an_event("huge"), "mission": "support_resolution", "trigger": asked}
    report = ingest(arriving.intake, raws(huge, an_event("2")))
    assert report.stopped == "" and "cannot hold" in report.dead_letters[0].reason
    assert [one.source_id for one in report.taken_in] == ["2"]


def test_the_same_bad_text_of_a_source_is_one_letter_while_nobody_has_settled_it(arriving: Arriving) -> None:
    bad = raws("{", "{", source=by_post("oms"))
    letters = {one.letter_id for _ in range(3) for one in ingest(arriving.intake, bad).dead_letters}
    other = ingest(arriving.intake, raws("{", source=by_post("shop"))).dead_letters[0]
    assert len(letters) == 1 and other.letter_id not in letters
    (first,) = letters
    arriving.inbox.settle_letter(first, "rita", "a test")
    again = ingest(arriving.intake, bad).dead_letters
    assert len({one.letter_id for one in again}) == 1 and again[0].letter_id not in letters
    found, total = arriving.inbox.open_letters()
    assert total == 2 and {letter.source for letter in found} == {by_post("oms"), by_post("shop")}


def test_a_letter_keeps_the_beginning_of_what_came_as_the_database_can_hold_it(arriving: Arriving) -> None:
    ingest(arriving.intake, raws(b"\xff\0" + "ü".encode() * 200_000, "\ud800"))
    long, half = arriving.bodies()
    assert long.startswith("\ufffd\ufffdüü") and MOST_BODY_BYTES - 2 < len(long.encode()) <= MOST_BODY_BYTES
    assert half == "\ufffd"


def test_letters_that_come_side_by_side_are_one(arriving: Arriving) -> None:
    with ThreadPoolExecutor(4) as hands:
        ids = list(hands.map(lambda _: arriving.inbox.keep_letter("a source", "a body", "a reason"), range(12)))
    assert len(set(ids)) == 1 and arriving.inbox.open_letters()[1] == 1


def test_a_batch_stops_where_the_database_does_not_answer_and_tells_what_was_done(arriving: Arriving) -> None:
    def then_down(run: Run) -> None:
        arriving.begun.append(run)
        raise TryAgain("The database of the ledger did not answer.")

    intake = type(arriving.intake)(arriving.intake.runtime, arriving.inbox, then_down)
    report = ingest(intake, raws(an_event("1"), an_event("2")))
    assert ([one.source_id for one in report.taken_in], report.stopped) == (["1"], "The database of the ledger did not answer.")
    with PostgresLedger.open("postgresql://nobody@127.0.0.1:1/none") as nowhere:
        runtime = arriving.intake.runtime
        runtime.ledger = nowhere
        report = ingest(type(intake)(runtime, Inbox(nowhere)), raws("{", an_event("3")))
    assert "did not answer" in report.stopped
    assert (report.taken_in, report.dead_letters) == ([], [])


def kinds(arriving: Arriving) -> list[str]:
    return [entry.kind for entry in arriving.ledger.audit() if "letter" in entry.kind]


def test_a_letter_is_taken_in_again_when_it_can_be(arriving: Arriving) -> None:
    arriving.inbox.add_source("oms", bounds=BOUNDS)
    packs = arriving.intake.runtime.context.packs
    lacking = {name: pack for name, pack in packs.items() if name != "order_exception"}
    arriving.intake.runtime.context.packs = lacking
    (dead,) = ingest(arriving.intake, raws(an_event("1"))).dead_letters
    assert "there is no Mission 'order_exception'" in dead.reason
    with pytest.raises(BadInput, match="there is no Mission"):
        ingest_dead_letter(arriving.intake, dead.letter_id, "rita", "perhaps now")
    arriving.intake.runtime.context.packs = packs
    assert arriving.inbox.open_letters()[1] == 1
    run = ingest_dead_letter(arriving.intake, dead.letter_id, "rita", "the pack is there")
    assert (run.event.source_id, run.event.requested_by) == ("oms:1", "")
    assert arriving.begun == [run]
    assert arriving.inbox.open_letters() == ([], 0)
    (entry,) = [entry for entry in arriving.ledger.audit(run.run_id) if entry.kind == "dead_letter_taken_in"]
    assert (entry.body["by"], entry.body["reason"], entry.body["source"]) == ("rita", "the pack is there", by_post("oms"))
    assert "O-4471" not in str(entry.body), "what came from outside stands in the audit log as a digest"
    with pytest.raises(Refused, match="was settled by rita already"):
        ingest_dead_letter(arriving.intake, dead.letter_id, "rita", "once more")
    assert arriving.ledger.verify_audit() == []


@pytest.mark.parametrize(
    ("by", "reason", "error", "says"),
    [
        ("ana", "I like to", Refused, "To settle an incident or a dead letter requires the role"),
        ("nobody", "I like to", Refused, "Sign in to settle"),
        ("rita", " ", BadInput, "A reason is missing"),
    ],
)
def test_a_letter_is_settled_by_whoever_may_and_with_a_reason(
    arriving: Arriving, by: str, reason: str, error: Any, says: str
) -> None:
    letter = arriving.inbox.keep_letter(by_post("oms"), "{", "no JSON")
    with pytest.raises(error, match=says):
        arriving.inbox.settle_letter(letter, by, reason)
    with pytest.raises(error, match=says):
        ingest_dead_letter(arriving.intake, letter, by, reason)
    assert arriving.inbox.open_letters()[1] == 1 and kinds(arriving) == ["dead_letter_kept"]


def test_a_dropped_letter_is_in_the_audit_log_and_dropped_once(arriving: Arriving) -> None:
    letter = arriving.inbox.keep_letter(by_post("oms"), "{", "no JSON")
    assert arriving.inbox.settle_letter(letter, "rita", " a test ").settled_reason == "a test"
    assert kinds(arriving) == ["dead_letter_kept", "dead_letter_dropped"]
    with pytest.raises(Refused, match="was settled by rita already"):
        arriving.inbox.settle_letter(letter, "rita", "again")
    with pytest.raises(BadInput, match="There is no dead letter 'l-0'"):
        arriving.inbox.settle_letter("l-0", "rita", "again")


def test_a_source_is_known_by_its_token_until_it_ends(arriving: Arriving, ledger_url: str) -> None:
    inbox = arriving.inbox
    token = inbox.add_source("oms")
    source = inbox.source_of(token)
    assert source is not None and (source.name, source.added_by, source.ended_at) == ("oms", "the command line", None)
    assert [inbox.source_of(wrong) for wrong in ("", "x", token + "x", token[:-1], "\0", "\ud800")] == [None] * 6
    with psycopg.connect(ledger_url) as session:
        kept = session.execute("SELECT * FROM ledger.event_sources").fetchall()
    assert token not in str(kept)
    with pytest.raises(BadInput, match="The event source 'oms' already exists"):
        inbox.add_source("oms")
    inbox.end_source("oms", "admin")
    assert inbox.source_of(token) is None
    with pytest.raises(BadInput, match="no event source 'oms' that could end"):
        inbox.end_source("oms")
    other = inbox.add_source("oms", "admin")
    assert inbox.source_of(token) is None and inbox.source_of(other) is not None
    told = [(entry.kind, entry.body["by"]) for entry in arriving.ledger.audit() if "source" in entry.kind]
    assert told == [
        ("event_source_added", "the command line"), ("event_source_ended", "admin"), ("event_source_added", "admin"),
    ]  # fmt: skip
    assert token not in str([entry.body for entry in arriving.ledger.audit()])


@pytest.mark.parametrize("name", ["", "OMS", "o:ms", "a b", "-oms", "x" * 51, "oms\n", "ö", "portal"])
def test_a_name_that_a_source_cannot_have_is_refused(arriving: Arriving, name: str) -> None:
    with pytest.raises(BadInput):
        arriving.inbox.add_source(name)
    assert arriving.inbox.sources() == []


def test_sources_are_managed_by_administrators(arriving: Arriving) -> None:
    for act in (arriving.inbox.add_source, arriving.inbox.end_source):
        with pytest.raises(
            Refused, match="To manage event sources and destinations requires the role administrator, and rita is reviewer"
        ):
            act("oms", "rita")


def test_where_an_event_came_from_tells_whose_source_id_it_is() -> None:
    assert RawEvent("", by_post("oms")).namespace == RawEvent("", by_feed("oms.list_events")).namespace == "oms"
    assert [RawEvent("", source).namespace for source in ("feed oms.jsonl, line 3", "POST /events by o ms", "x feed a.b")] == [
        ""
    ] * 3
