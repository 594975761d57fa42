"""The evidence of the card: findings with their facts, clauses, what else was considered, what has changed since."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from markupsafe import Markup

from dashboard import card
from knowledge_index.policies import Clause
from ledger.records import Approval, Fact, Observation, Proposal
from nodes.drift import Difference, Drift
from rendering import words
from tests.unit.dashboard.card_examples import NOW, action, change, decision, effect, proposal, run, text
from tests.unit.dashboard.hostile import NASTY, Parsed, steering

ORDER = Fact(name="order", tool="oms.get_order", args={"order_id": "O-1"}, status="ok", value={"total_cents": 5}, read_at=NOW)
STOCK = Fact(name="stock", tool="wms.list_stock", args={"skus": ["A"]}, status="ok", value=[{"on_hand": 7}], read_at=NOW)
ITEMS = Fact(name="items", tool="erp.list_items", args={}, status="ok", value=[], read_at=NOW)
CLAUSE = Clause(
    id="FRD-2", policy_id="fraud", policy_title="Fraud", title="Elevated scores", version=3, text="A score is elevated from 0.6.",
    values={}, in_force_from=date(2026, 1, 1), in_force_until=None, owner="risk",
)  # fmt: skip


def seen(seq: int, kind: Any, said: str, step: str = "diagnose", **evidence: Any) -> Observation:
    return Observation(seq=seq, at=NOW, step=step, kind=kind, text=said, evidence=evidence)


def why(*observations: Observation, made: Proposal | None = None, facts: tuple[Fact, ...] = (), clauses: Any = None) -> Markup:
    return card.why(made or proposal(), observations, facts, clauses or {})


def items(piece: Markup) -> list[Markup]:
    """The findings of the list, each with what stands in it."""
    return [Markup(one) for one in piece.split("<h3>Clauses")[0].split("<li")[1:]]


def test_a_finding_stands_with_the_steps_that_answer_it_and_the_facts_behind_it() -> None:
    plan = [action(**{"for": "charge.twice"}), action(**{"for": "other"}), action(**{"for": "charge.twice"})]
    observations = [
        seen(1, "finding", "Charged twice.", finding="charge.twice", facts=["order", "stock", "gone"]),
        seen(2, "finding", "Stock is there.", finding="stock.own_location", facts=["stock"]),
    ]
    one, other, rest = items(why(*observations, made=proposal(plan=plan), facts=(ORDER, STOCK, ITEMS)))
    assert "Charged twice." in one and "step 1, 3" in one
    assert one.count("<details") == 2 and "oms · get order" in one and "wms · list stock" in one
    assert "step" not in text(other) and other.count("<details") == 1
    assert "Also read" in rest and "erp · list items" in rest and rest.count("<details") == 1


def test_findings_of_the_same_kind_about_several_orders_name_no_steps() -> None:
    plan = [action(**{"for": "charge.twice"}), action(**{"for": "late"})]
    observations = [
        seen(1, "finding", "O-1 was charged twice.", finding="charge.twice"),
        seen(2, "finding", "O-2 was charged twice.", finding="charge.twice"),
        seen(3, "finding", "O-2 is late.", finding="late"),
    ]
    one, other, late = items(why(*observations, made=proposal(plan=plan)))
    assert "step" not in text(one) and "step" not in text(other) and "step 2" in text(late)


def test_every_fact_is_one_click_away_whether_or_not_a_finding_stands_on_it() -> None:
    facts = (ORDER, STOCK, ITEMS)
    for observations in ([], [seen(1, "finding", "It is so.", finding="f", facts=["order"])]):
        shown = why(*observations, facts=facts)
        assert all(shown.count(f">{words(fact.tool)}: ") == 1 for fact in facts)
        assert shown.count('<details class="c-fact">') == len(facts)
    nothing = why(seen(1, "finding", "It is so.", finding="f", facts=["order"]), facts=(ORDER,))
    assert "Also read" not in nothing


def test_a_fact_opens_to_its_raw_record_with_system_tool_and_moment() -> None:
    shown = card.fact_chip(replace(STOCK, value=[{"note": "a\n<b>b</b>", "on_hand": 7}]))
    summary, opened = shown.split("</summary>")
    assert text(Markup(summary)) == "wms stock 9:30:00 AM UTC"
    assert "wms · list stock: skus A; read at Mar 14, 2026, 9:30 AM UTC" in text(Markup(opened))
    assert '"on_hand": 7' in Parsed(opened).text and "&lt;b&gt;b&lt;/b&gt;" in opened


@pytest.mark.parametrize(
    ("changes", "found", "raw"),
    [
        ({"status": "absent", "value": None}, "(no record)", "no record"),
        ({"status": "failed", "value": None, "error": "wms cannot be reached"}, "(not read)", "wms cannot be reached"),
        ({"value": []}, "9:30:00 AM UTC", "[]"),
    ],
)
def test_a_read_that_found_nothing_says_so(changes: dict[str, Any], found: str, raw: str) -> None:
    shown = card.fact_chip(replace(STOCK, **changes))
    assert text(Markup(shown.split("</summary>")[0])).endswith(found)
    assert Parsed(shown.split("<pre")[1]).text.removeprefix(' class="m-mono">') == raw


def test_a_long_record_is_cut() -> None:
    shown = card.fact_chip(replace(STOCK, value="x" * 20_000))
    assert 6_000 - 10 < shown.count("x") <= 6_000 and "…" in shown


def test_missing_evidence_stands_among_the_findings() -> None:
    one, other = items(why(seen(1, "finding", "It is so.", finding="f"), seen(2, "missing", "wms cannot be reached", "gather")))
    assert "It is so." in one and "m-warn" not in one
    assert "wms cannot be reached" in other and "m-warn" in other


def test_only_what_the_latest_look_found_is_shown() -> None:
    looks = [
        seen(1, "event", "first look", "gather"), seen(2, "missing", "crm is down", "gather"),
        seen(3, "finding", "Stock is short.", finding="a"), seen(4, "event", "second look", "gather"),
        seen(5, "finding", "Stock is there.", finding="b"),
    ]  # fmt: skip
    shown = text(why(*looks))
    assert "Stock is there." in shown
    assert "Stock is short." not in shown and "crm is down" not in shown


def test_without_anything_each_part_says_so() -> None:
    shown = text(why())
    assert shown == "Findings No findings. Clauses No clause is cited. Alternatives rejected No other way was open."


def test_a_cited_clause_opens_to_its_text_in_the_version_that_is_cited() -> None:
    shown = why(made=proposal(cites=[{"clause": "FRD-2", "version": 3}]), clauses={"FRD-2": CLAUSE})
    summary, opened = shown.split('<details class="c-clause">')[1].split("</summary>")
    assert text(Markup(summary)) == "FRD-2 v3 Elevated scores"
    assert "A score is elevated from 0.6." in opened and "Fraud, in force since Jan 1, 2026" in opened


@pytest.mark.parametrize("known", [{"FRD-2": CLAUSE}, {}])
def test_a_clause_of_another_version_is_named_without_a_text_that_was_not_cited(known: dict[str, Clause]) -> None:
    shown = why(made=proposal(cites=[{"clause": "FRD-2", "version": 2}]), clauses=known)
    assert "<b>FRD-2</b> v2" in shown
    assert "elevated" not in shown and "v3" not in shown and "<details" not in shown


def test_what_was_considered_says_why_it_lost() -> None:
    lost = [
        {"option": "cancel", "for": "f", "lost_because": "it is explained"},
        {"option": "wait", "for": "f", "lost_because": "late"},
    ]
    assert text(why(made=proposal(alternatives=lost))).endswith("Alternatives rejected cancel it is explained wait late")


# What has changed since


def test_a_world_that_is_the_same_is_said_to_be_so_since_when() -> None:
    assert "Nothing has changed since Mar 14, 2026, 9:30 AM UTC." in text(card.drifted(Drift(), NOW))


def test_what_has_changed_without_a_reason_leaves_the_proposal_as_it_is() -> None:
    difference = Difference("wms.list_stock", "A, DC-1", "on_hand", 10, 11)
    shown = card.drifted(Drift((difference,)), NOW)
    assert "Changed since Mar 14, 2026, 9:30 AM UTC, and the proposal still holds: wms A, DC-1 on hand 10 → 11" in text(shown)
    assert "m-info" in shown and "m-warn" not in shown and "looks again" not in shown


def test_what_has_changed_and_matters_says_why_and_what_follows() -> None:
    difference = Difference("payments.get_payment", "O-1", "charges/ch-9/amount_cents", 500, None)
    shown = card.drifted(Drift((difference,), ("now: Charged twice.", "the plan needs another approval now")), NOW)
    told = text(shown)
    assert "If you approve, the Mission looks again first:" in told and "m-warn" in shown
    assert "payments O-1 charges ch-9 amount $5.00 → none" in told
    assert told.endswith("now: Charged twice. the plan needs another approval now")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(None, {"a": 1}, "is new"), ({"a": 1}, None, "is gone"), ({"a": 1}, "wms cannot be reached", "now answers differently")],
)
def test_a_whole_record_appeared_is_gone_or_answers_otherwise(before: Any, after: Any, said: str) -> None:
    assert text(card.drifted(Drift((Difference("wms.get_stock", "A, DC-1", "", before, after),)), NOW)).endswith(
        f"A, DC-1 {said}"
    )


def test_a_read_that_fails_where_there_was_no_record_is_no_new_record() -> None:
    difference = Difference("logistics.get_address_check", "O-1", "", None, "logistics could not be reached", "now")
    assert text(card.drifted(Drift((difference,)), NOW)).endswith("O-1 cannot be read now: logistics could not be reached")


def test_a_record_that_could_not_be_read_then_is_no_record_that_is_gone() -> None:
    difference = Difference("logistics.get_address_check", "O-1", "", "logistics could not be reached", None, "then")
    assert text(card.drifted(Drift((difference,)), NOW)).endswith("O-1 could not be read then, and can be now")


def test_of_many_differences_the_first_are_told_and_the_rest_are_counted() -> None:
    many = tuple(Difference("wms.list_stock", f"S{n}, DC-1", "on_hand", 1, 2) for n in range(20))
    told = text(card.drifted(Drift(many), NOW + timedelta(hours=1)))
    assert "S7, DC-1" in told and "S8, DC-1" not in told and told.endswith("and 12 more")


# All of it is text


def pieces(wrote: str) -> dict[str, Markup]:
    """Every piece of the card, with this text wherever somebody outside could have written it."""
    said = f"x{wrote}"
    made = proposal(
        author=said, tier=said, rationale=f"{said}. {said}", approval=Approval(role="finance", four_eyes=True),
        plan=[
            action(said, part=said, args={"text": said}, undo={"name": "void", "args": {"id": said}}), action(said),
        ],
        changes=[
            change(said, said, [said, {said: said}], record=said), change("f", {"a": said}, {"a": None}),
            change("f", {f"k{said}": said}, {}), change("f", None, {said: said}),
        ],
        alternatives=[{"option": said, "lost_because": said}], cites=[{"clause": "FRD-2", "version": 3}],
    )  # fmt: skip
    fact = Fact(name="order", tool="oms.get_order", args={"id": said}, status="ok", value={said: said}, read_at=NOW)
    failed = replace(fact, name="stock", status="failed", value=None, error=said)
    seen = [
        Observation(seq=1, at=NOW, step="diagnose", kind="finding", text=said, evidence={"finding": "f", "facts": ["order"]}),
        Observation(seq=2, at=NOW, step="gather", kind="missing", text=said),
    ]
    clause = Clause(
        id="FRD-2", policy_id="fraud", policy_title=said, title=said, version=3, text=said, values={},
        in_force_from=date(2026, 1, 1), in_force_until=None, owner="risk",
    )  # fmt: skip
    differences = (
        Difference("wms.list_stock", said, said, said, {said: said}),
        Difference("wms.list_stock", said, "", said, said),
    )
    return {
        "head": card.head(run(said), made, [decision(said)], NOW),
        "story": card.story(made),
        "drifted": card.drifted(Drift(differences, (said,)), NOW),
        "steps": card.steps(made, [effect(1, "failed", said)]),
        "why": card.why(made, seen, [fact, failed], {"FRD-2": clause}),
        "decided": card.decided([decision(said, said)]),
        "standing": card.standing(run(status="incident"), [said]),
    }


HARMLESS = {
    name: [(tag, [n for n, _ in attributes]) for tag, attributes in Parsed(one).tags] for name, one in pieces("y").items()
}


@given(NASTY)
def test_nobody_adds_a_tag_or_an_attribute_to_the_card(wrote: str) -> None:
    for name, piece in pieces(wrote).items():
        assert [(tag, [n for n, _ in attributes]) for tag, attributes in Parsed(piece).tags] == HARMLESS[name], name


@pytest.mark.parametrize("piece", ["head", "steps", "why", "story", "drifted", "decided", "standing"])
@given(wrote=NASTY)
def test_nobody_turns_the_text_of_the_card_around(piece: str, wrote: str) -> None:
    shown = pieces(wrote)[piece]
    titles = "".join(str(value) for _, attributes in Parsed(shown).tags for _, value in attributes)
    assert steering(str(shown) + titles) <= {"\n"}
