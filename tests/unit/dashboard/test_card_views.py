"""The evidence card: everything that a decision stands on is there, in words, and all of it is text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import card
from ledger.limits import Standing
from ledger.records import Approval, EffectStatus, NewObservation
from tests.actions import CANCEL_ORDER, SEND_MESSAGE
from tests.ledger_examples import a_limit
from tests.unit.dashboard.card_examples import HOUR, NOW, action, cells, change, decision, effect, proposal, rail, run, text
from tests.unit.dashboard.hostile import Parsed

# Head and story


def test_the_head_says_what_it_is_about_and_what_it_comes_to() -> None:
    plan = [action(undo={"name": "void_refund", "args": {}}), action(), action()]
    told = text(card.head(run(), proposal(plan=plan), [], NOW))
    for said in (
        "O-4471 fulfill with changes",
        "order exception",
        "$1,234.50 at stake",
        "88% confidence",
        "1 of 3 steps can be undone",
    ):
        assert said in told
    assert "planner proposed 3 h ago" in told and "due in 5 h" in told


@pytest.mark.parametrize(
    ("changes", "said", "kind"),
    [
        ({"due_at": NOW - HOUR}, "due 60 min ago", "m-bad"),
        ({"expires_at": NOW - 2 * HOUR}, "expired 2 h ago", "m-bad"),
        ({"status": "sent_back"}, "sent back", "m-plain"),
        ({"status": "approved"}, "approved", "m-good"),
        ({"tier": "vip"}, "vip", "m-warn"),
        ({"tier": "gold"}, "gold", "m-plain"),
    ],
)
def test_deadline_status_and_tier_are_chips(changes: dict[str, Any], said: str, kind: str) -> None:
    shown = card.head(run(), proposal(**changes), [], NOW)
    assert f'class="m-chip {kind}"' in shown.split(f">{said}<")[0].rsplit("<span", 1)[1]


def test_the_head_says_who_has_approved_already_of_this_proposal() -> None:
    asked = proposal(approval=Approval(role="finance", four_eyes=True, clauses=("GOV-3", "GOV-4")))
    assert "2 × finance" in card.head(run(), asked, [], NOW)
    earlier = [decision("finn", proposal_id="r-1.0"), decision("sam", kind="respond"), decision("fay")]
    shown = card.head(run(), asked, earlier, NOW)
    assert "finance, second after fay" in shown and "raised by GOV-3, GOV-4" in shown


def test_the_head_says_what_a_customer_is_given_with_this_one_and_who_decides_above_it() -> None:
    within = Standing(a_limit(most_cents=200_000), 150_000)
    shown = text(card.head(run(), proposal(), [], NOW, [within]))
    assert "$1,500 of $2,000 this week with this one for C-1" in shown and "decides" not in shown
    over = Standing(a_limit(most_cents=100_000, key="<b>"), 150_000)
    shown = card.head(run(), proposal(), [], NOW, [over])
    assert "supervisor decides" in shown and "&lt;b&gt; to $1,500 of $1,000 this week (GOV-9)" in shown


def test_the_story_begins_with_the_verdict_in_a_sentence() -> None:
    shown = card.story(proposal())
    assert "<b>The order was charged twice.</b>" in shown
    assert text(shown).endswith("The second charge is refunded. Nothing else is touched.")
    assert "<b>It is so.</b>" in card.story(proposal(rationale="It is so."))


# Steps


def test_each_step_shows_its_change_in_each_system_before_and_after() -> None:
    changes = [
        change("status", "new", "ready"), change("on_hold", True, False), change("charges/ch_94687/refunded_cents", 0, 123_450),
        change("note", None, [], step=2),
    ]  # fmt: skip
    one, other = cells(card.steps(proposal(plan=[action("First"), action("Second")], changes=changes)))
    assert "1 First payments O-1 status new → ready payments O-1 on hold yes → no" in one.replace('class="">', "").strip()
    assert "charges ch_94687 refunded $0.00 → $1,234.50" in one
    assert "2 Second payments O-1 note none → none" in other and "ready" not in other


def test_of_a_record_only_what_differs_is_shown() -> None:
    before = {"city": "Dayton", "region": "OH", "country": "US", "unit_cents": 500}
    after = {"city": "Akron", "region": "OH", "postal_code": "44301", "unit_cents": 750, "country": "US"}
    shown = text(card.steps(proposal(changes=[change("ship_to", before, after)])))
    for said in ("city Dayton → Akron", "postal code none → 44301", "$5.00 → $7.50"):
        assert said in shown
    assert "OH" not in shown and "US" not in shown


FIELDS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 3), max_size=5)


@given(FIELDS, FIELDS)
def test_a_field_stands_in_the_comparison_if_and_only_if_it_differs(before: dict[str, int], after: dict[str, int]) -> None:
    shown = Parsed(card.steps(proposal(changes=[change("x", before, after)])))
    differing = sum(before.get(key) != after.get(key) for key in {*before, *after})
    assert [tag for tag, _ in shown.tags].count("del") == [tag for tag, _ in shown.tags].count("ins") == differing


def test_a_new_part_is_told_with_its_money_as_dollars() -> None:
    shown = text(card.steps(proposal(changes=[change("charges", None, {"charge_id": "ch-3", "amount_cents": 999})])))
    assert "none → charge id ch-3, amount $9.99" in shown


def test_a_letter_is_there_word_for_word_behind_a_click() -> None:
    letter = "Dear Ann Ash,\n\nwe refund $5.00 — <b>sorry</b>.\n" + "x" * 1_500 + "\nYours"
    shown = card.steps(proposal(plan=[action(args={"text": letter})]))
    assert "<details" in shown and "<details open" not in shown
    assert letter in Parsed(shown).text


def test_a_letter_that_a_model_wrote_says_so() -> None:
    shown = card.steps(proposal(plan=[action(args={"text": "Dear Ann"}, written_by="small <b>"), action(args={"text": "Hello"})]))
    first, second = cells(shown)
    assert "written by a model" in first and "written by a model" not in second
    assert 'title="small &lt;b&gt;"' in shown


def test_a_proposal_with_a_model_has_its_mark_and_its_summary() -> None:
    summed = NewObservation("propose", "plan", "Summary, written by a model: It is <b>so</b>.", {"summary": "It is <b>so</b>."})
    proposes = NewObservation("propose", "plan", "hybrid proposes cancel: nothing", {"alternatives": []})
    refused = NewObservation("check", "check", "The plan does not pass", {})
    by_model = proposal(author="hybrid")
    assert "with a model" in card.head(run(), by_model, [], NOW) and "with a model" not in card.head(run(), proposal(), [], NOW)
    assert text(card.summary(by_model, rail(summed, proposes))) == "written by a model It is <b>so</b>."
    assert card.summary(by_model, rail(summed, proposes, refused, proposes)) == ""
    assert card.summary(proposal(), rail(summed, proposes)) == ""


def test_a_step_without_a_change_names_its_system() -> None:
    assert "crm" in text(card.steps(proposal(plan=[action(tool="crm.send_message")])))


def test_a_plan_without_steps_changes_nothing() -> None:
    assert text(card.steps(proposal(plan=[]))) == "Nothing would change."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"undo": None}, "cannot be undone"),
        ({"undo": {"name": "void_refund", "args": {"charge_id": "ch-1", "ship_to": {"a": 1}}}}, 'title="void refund: ch-1"'),
        ({"tier": "automate"}, "automatic"),
    ],
)
def test_a_step_says_whether_it_can_be_taken_back(changes: dict[str, Any], said: str) -> None:
    assert said in card.steps(proposal(plan=[action(**changes)]))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("intended", "not begun"), ("executing", "begun"), ("done", "done"), ("failed", "failed"),
        ("unknown", "outcome not known"),
    ],
)  # fmt: skip
def test_the_state_of_an_effect_stands_at_its_step(status: EffectStatus, said: str) -> None:
    plan = [action("First", undo=None), action("Second", undo=None)]
    first, second = cells(card.steps(proposal(plan=plan), [effect(1, status, "it said <no>")]))
    assert second.endswith(said) and first.endswith("cannot be undone")
    assert "it said &lt;no&gt;" in card.steps(proposal(plan=plan), [effect(1, status, "it said <no>")])


def test_effects_of_an_earlier_proposal_say_nothing_of_this_one() -> None:
    steps = text(card.steps(proposal(), [effect(0, "done", proposal_id="r-1.0")]))
    assert steps and "done" not in steps.split()


def test_steps_that_are_left_out_say_so_and_no_others() -> None:
    plan = [action("First", part="O-1"), action("Second", part="O-2"), action("Third", part="O-2")]
    shown = card.steps(proposal(plan=plan), [effect(0, "done")], {1, 2})
    part, first, part_2, second, third = cells(shown)
    assert (part.endswith("O-1"), part_2.endswith("O-2")) == (True, True)
    assert first.endswith("done") and second.endswith("left out") and third.endswith("left out")
    assert shown.count('<tr class="c-out">') == 2


# What people said, and where it stands


def test_decisions_are_told_with_who_when_and_why() -> None:
    told = text(card.decided([decision(), decision("sam", "Look again.", kind="respond", role="supervisor")]))
    assert "fay (finance, Mar 14, 2026, 9:30 AM UTC) approve: “It is so.”" in told
    assert told.endswith("sam (supervisor, Mar 14, 2026, 9:30 AM UTC) respond: “Look again.”")


def test_where_a_run_stands_is_a_sentence() -> None:
    assert "Being worked on." in card.standing(run(status="running"), [])
    assert "Stopped as an incident: wms is down; late" in card.standing(run(status="incident"), ["wms is down", "late"])
    assert card.standing(run(), []) == card.ended(run()) == ""
    assert "Closed: fulfill, executed." in card.ended(run(status="closed", verdict="fulfil", outcome="executed"))


# Edits


def test_an_edit_is_shown_step_by_step_with_what_it_changed_left_out_and_added() -> None:
    refund = [action(args={"charge_id": f"ch_{one}", "amount_cents": 7_500}) for one in (1, 2)]
    letter = action("Write", name=SEND_MESSAGE, args={"text": "We refund $150.00."})
    before = proposal(plan=[*refund, letter, action("Cancel", name=CANCEL_ORDER)])
    edited = {**refund[1], "args": {"charge_id": "ch_2", "amount_cents": 5_000}}
    written = {**letter, "args": {"text": "We refund $125.00."}}
    added = action("Hold", name="hold_order")
    shown = card.steps(proposal(plan=[refund[0], edited, written, added], author="rita"), before=before)
    same, changed, worded, new, gone = cells(shown)
    assert "edited" not in same and "edited amount $75.00 → $50.00" in changed and "charge" not in changed.split("edited")[1]
    assert "edited message text changed" in worded
    assert "We refund $125.00." in worded and "The message before the edit We refund $150.00." in worded
    assert shown.count('<details class="c-letter" open>') == 1
    assert "added" in new and "added" not in changed
    assert "Cancel" in gone and gone.endswith("left out") and 'title="by rita"' in shown


def test_without_an_edit_nothing_is_marked_as_edited() -> None:
    shown = card.steps(proposal(plan=[action(args={"text": "Hello", "amount_cents": 1})]))
    assert "edited" not in shown and "added" not in shown and "before the edit" not in shown


def test_who_edited_is_told_to_others_and_to_its_author_that_another_person_approves() -> None:
    made = proposal(author="rita")
    assert text(card.edited(made, "sam")).endswith("Edited by rita: another person approves.")
    assert text(card.edited(made, "rita")).endswith("You edited this plan: it waits for another person, who approves it.")
