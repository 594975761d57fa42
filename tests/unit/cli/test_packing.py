"""Packs for people: what is wrong with one, what it is, what changed."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from cli.pack import diff_packs, show_pack, validate_pack
from errors import BadInput
from graphs.mission import Flow, mission_graph
from nodes import pack as schema
from nodes.packs.conditions import compile_condition
from nodes.packs.description import label
from settings import CHECKOUT, settings
from tests.actions import OPEN_CASE, REAUTHORIZE

PACKS = CHECKOUT / "graphs" / "packs"
SOURCE = (PACKS / "order_exception.yaml").read_text(encoding="utf-8")
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a pack with some of its text replaced."""

    def of(text: str) -> Path:
        file = tmp_path / "draft.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return of


def changed(old: str, new: str) -> str:
    """The pack of order exceptions with a piece of it replaced."""
    assert old in SOURCE
    return SOURCE.replace(old, new, 1)


def line_of(piece: str, text: str) -> int:
    """The line on which a piece stands."""
    return text[: text.index(piece)].count("\n") + 1


YAML_MISTAKES = {
    "a tab": ("  state:\n", "\tstate:\n", "indent with spaces"),
    "a line indented too little": ("    - id: shipped.captured", "   - id: shipped.captured", "like the lines beside it"),
    "a text that begins with a brace": ('says: "{line.location} has', "says: {line.location} has", "needs quotes"),
    "a condition that begins with !": ('when: "!correctable &&', "when: !correctable &&", "needs quotes"),
    "a colon in a text": ("says: Every remaining line", "says: Good news: every remaining line", "needs quotes"),
    "a bracket left open": ("cites: [FRD-3]", "cites: [FRD-3", "every bracket"),
    "no space behind a colon": ("mission: order_exception", "mission:order_exception", "lacks its space"),
    "a key that appears twice": ("  fraud.high:\n", "  order.settled:\n", "appears twice"),
}


@pytest.mark.parametrize("mistake", YAML_MISTAKES)
def test_a_mistake_in_yaml_is_told_with_its_line_and_a_remedy(mistake: str, write: Write) -> None:
    old, new, remedy = YAML_MISTAKES[mistake]
    with pytest.raises(BadInput, match=r"draft\.yaml, line \d+: .*fix it: ") as told:
        validate_pack(str(write(changed(old, new))))
    assert remedy in str(told.value)
    assert "\n" not in str(told.value)


#: what is replaced, by what, the line on which it is told, what is said
SLIPS = {
    "read tool": ("oms.get_order,", "oms.get_ordre,", "oms.get_ordre", "did you mean oms.get_order"),
    "argument of a read": (
        "tool: crm.get_customer, with: {customer_id:",
        "tool: crm.get_customer, with: {customer:",
        "crm.get_customer",
        "takes customer_id, not customer",
    ),
    "finding": ("  fraud.high:\n", "  fraud.hihg:\n", "  fraud.hihg:", "unknown finding 'fraud.hihg'; did you mean fraud.high"),
    "key": (
        "says: Fraud score",
        "sais: Fraud score",
        "sais",
        "«sais» is not permitted here; fix it: did you mean says",
    ),
    "name": ("when: elevated && !signals", "when: elevatd && !signals", "- id: fraud.unexplained", "did you mean elevated"),
    "clause": ("score < FRD_3.from\n", "score < FRD_33.from\n", "elevated: pay", "no policy in force has the clause FRD-33"),
    "clause value": (
        "score < FRD_3.from\n",
        "score < FRD_3.form\n",
        "elevated: pay",
        "FRD-3 has no such value; did you mean from",
    ),
    "function": ("is_later(t, order))\n", "is_latr(t, order))\n", "later_twins: ", "did you mean is_later"),
    "condition": (
        "size(twins) > size(later_twins)",
        "size(twins) > size(later_twins",
        "- id: duplicate.subject",
        "does not compile; fix it: close the (",
    ),
    "hole of a sentence": (
        "is already {order.status}; no",
        "is {order.status and}; there",
        "- id: order.settled",
        "does not compile at «and»; fix it: write && for «and»",
    ),
    "cited clause": (
        "returns, cites: [DUP-3]",
        "returns, cites: [DUP-33]",
        "DUP-33",
        "which no policy has; did you mean DUP-3",
    ),
    "argument of an action": (
        ", po_id: =delivery.po_id}",
        "}",
        "- id: wait for a delivery",
        "takes order_id, line_id, po_id, not order_id, line_id; po_id is missing",
    ),
    "action": ("action: backorder_line", "action: back_order_line", "- id: wait for a delivery", "did you mean backorder_line"),
    "word of an argument": (
        "reason: out_of_stock",
        "reason: out_of_stok",
        "- id: stock.nothing_fillable",
        "reason of cancel_order cannot be 'out_of_stok'; did you mean out_of_stock",
    ),
    "word given to a procedure": (
        "reason: stock, template",
        "reason: stok, template",
        "- id: stock.partly",
        "reason of place_order_hold cannot be 'stok'; did you mean stock",
    ),
    "queue": ("escalate: returns", "escalate: return", "escalate: return,", "cannot be 'return'; did you mean returns"),
    "verdict": (
        "end: backorder",
        "end: backordered",
        "- id: order.all_backordered",
        "unknown verdict 'backordered'; did you mean",
    ),
    "finding asked for": (
        "(unmet('stock.short')) > 0 && order.allow_split",
        "(unmet('stock.shrt')) > 0 && order.allow_split",
        "- id: stock.partly",
        "unknown finding 'stock.shrt'; did you mean stock.short",
    ),
    "action asked for": (
        "when: planned('backorder_line') > 0",
        "when: planned('backorder') > 0",
        "- id: order.all_backordered",
        "unknown action 'backorder'; did you mean backorder_line",
    ),
    "draft": ("{draft: delay_notice}", "{draft: delay_note}", "- id: wait for a delivery", "did you mean delay_notice"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_with_its_line_and_what_was_probably_meant(slip: str, write: Write) -> None:
    old, new, place, said = SLIPS[slip]
    text = changed(old, new)
    with pytest.raises(BadInput) as told:
        validate_pack(str(write(text)))
    assert f"draft.yaml, line {line_of(place, text)}: " in str(told.value)
    assert said in str(told.value)
    assert "fix" in str(told.value)


@pytest.mark.parametrize(
    ("condition", "remedy"),
    [
        ("a = b", "write == to compare"),
        ("a and b", "write && for «and»"),
        ("a or b", "write || for «or»"),
        ("not a", "write ! for «not»"),
        ("a => 3", "write >= for «at least»"),
        ("a is null", "write == for «is»"),
        ("a in ('x', 'y')", "write a list in [ ]"),
        ("a == 'x", "close the quote"),
        ("a == “x”", "straight quotes"),
        ("size(a", "close the ("),
        ("a) == 1", ") has no partner"),
        ("a >=", "something is missing at the end"),
        ("a == 'this or that' b", "an operator may be missing"),
    ],
)
def test_a_condition_that_does_not_compile_is_told_with_what_people_mostly_mean(condition: str, remedy: str) -> None:
    with pytest.raises(BadInput, match="does not compile") as told:
        compile_condition(condition, "somewhere")
    assert remedy in str(told.value)
    assert "IDENTIFIER" not in str(told.value)


def test_a_mistake_in_what_parts_share_is_told_where_it_stands(write: Write) -> None:
    source = (PACKS / "omnichannel_exception.yaml").read_text(encoding="utf-8")
    text = source.replace("{action: open_case, with: {queue: =queue,", "{action: open_case, with: {queue: =queu,", 1)
    with pytest.raises(BadInput, match=rf"line {line_of('escalation:', text)}: .*'queu'; did you mean queue"):
        validate_pack(str(write(text)))


def test_a_file_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\x00\xff")
    with pytest.raises(BadInput, match=r"binary\.yaml: .*not plain text"):
        validate_pack(str(tmp_path / "binary.yaml"))
    with pytest.raises(BadInput, match=r"none\.yaml: .*No such file"):
        validate_pack(str(tmp_path / "none.yaml"))
    with pytest.raises(BadInput, match=r"no Mission or file 'make_coffee'; the Missions are account_save, "):
        show_pack("make_coffee", mermaid=False)


def test_a_valid_pack_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    validate_pack(str(PACKS / "order_exception.yaml"))
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1
    raw = yaml.safe_load(SOURCE)
    counts = (len(raw["reads"]), sum(map(len, raw["findings"].values())), sum(map(len, raw["options"].values())))
    assert re.search(rf"{counts[0]} reads, {counts[1]} findings, {counts[2]} options, .*, {len(raw['guards'])} guards\.", told[0])


def test_an_action_of_a_system_that_there_is_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actions = (CHECKOUT / "systems" / "actions.yaml").read_text("utf-8")
    (tmp_path / "actions.yaml").write_text(
        re.sub(rf"(^{REAUTHORIZE}:\n  system: )\w+", r"\1paymints", actions, flags=re.MULTILINE)
    )
    systems = (CHECKOUT / "systems" / "systems.yaml").read_text("utf-8")
    (tmp_path / "systems.yaml").write_text(systems.replace('"{missions}/systems/actions.yaml"', "actions.yaml"))
    elsewhere = settings().model_copy(update={"systems": tmp_path / "systems.yaml"})
    monkeypatch.setattr("cli.pack.settings", lambda: elsewhere)
    with pytest.raises(BadInput, match=f"{REAUTHORIZE} is an action of paymints, which is none of the systems of"):
        validate_pack(str(PACKS / "order_exception.yaml"))


HINTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a finding that nothing answers": (
        lambda p: p["findings"]["fraud"].append({"id": "fraud.odd", "says": "It is odd."}),
        "no option answers fraud.odd",
    ),
    "a draft that no step writes": (lambda p: p["drafts"].update(goodbye="Bye."), "draft goodbye is never used"),
    "a procedure that nothing does": (lambda p: p["procedures"].update(dance={"do": []}), "procedure dance is never used"),
    "a verdict that nothing ends in": (
        lambda p: p["verdicts"].update(celebrate={"keeps": None, "says": "Hurray."}),
        "verdict celebrate is never used",
    ),
    "a let that nothing uses": (lambda p: p["let"].update(spare="order.lines"), "let spare is never used"),
    "an option behind one that always works": (
        lambda p: p["options"]["fraud.high"].append({"id": "again", "end": "no_action"}),
        "'again' behind it is never reached",
    ),
    "a conclusion behind one that always ends": (
        lambda p: p["conclusions"].append({"id": "late", "says": "Too late."}),
        "late behind it is never reached",
    ),
    "no end": (lambda p: p["conclusions"].pop(), "no conclusion always ends it"),
    "an action without a guard": (
        lambda p: p.update(guards=[one for one in p["guards"] if one["for"] != REAUTHORIZE]),
        "action reauthorize has no guard",
    ),
}


@pytest.mark.parametrize("kind", HINTS)
def test_what_is_probably_not_meant_is_a_hint(kind: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    change, hint = HINTS[kind]
    raw = yaml.safe_load(SOURCE)
    change(raw)
    validate_pack(str(write(yaml.safe_dump(raw, sort_keys=False))))
    hints = [line for line in capsys.readouterr().out.splitlines() if line.startswith("hint: ")]
    assert any(hint in line for line in hints), hints


def test_a_file_that_missions_do_not_load_is_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orders.yml"
    file.write_text(SOURCE, encoding="utf-8")
    validate_pack(str(file))
    told = capsys.readouterr().out
    assert "names end in .yaml" in told
    assert str(PACKS) in told


def test_the_outline_tells_findings_options_and_the_numbers_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    show_pack("order_exception", mermaid=False)
    told = [line.strip() for line in capsys.readouterr().out.splitlines()]
    for line in (
        "order: get_order of oms",
        "payments: list_payments of payments, after orders",
        "if payment.fraud.score is at least FRD-3 from (0.75)",
        "1. escalate → escalate to fraud (FRD-3)",
        "4. a substitute → goes on (STK-4)",
        "request_cycle_count (automate): Request a count of {line.sku} at {line.location}",
        "place_order_hold (recommend): Put order {order.order_id} on hold for the customer (address)",
        "finance, two different people: above that (GOV-3)",
        "Cases with missing data go to operations (GOV-7)",
    ):
        assert line in told


def test_a_procedure_is_told_with_what_the_option_gives_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_pack("order_exception", mermaid=False)
    told = capsys.readouterr().out
    assert "payment_of(twin.order_id, payments).charges" in told
    assert "payment_of(order.order_id, payments).charges" in told
    assert "{of}" not in told and "payment_of(of" not in told


def test_every_part_of_a_pack_is_in_its_outline(capsys: pytest.CaptureFixture[str]) -> None:
    show_pack("omnichannel_exception", mermaid=False)
    told = capsys.readouterr().out
    for part in yaml.safe_load((PACKS / "omnichannel_exception.yaml").read_text(encoding="utf-8"))["parts"]:
        assert f"\n  Part {part}\n" in told
    pickup = told[told.index("  Part pickup\n") : told.index("  Part stock\n")]
    assert "      reroute: " in pickup
    assert "      expedite: " not in pickup, "a part tells only the verdicts that it can end in"


def test_the_flow_is_that_of_the_compiled_graph() -> None:
    edges = {(edge.source, edge.target) for edge in mission_graph().get_graph().edges if "__" not in edge.source + edge.target}
    steps = Flow.of_missions().lines()[0].split(" → ")
    told = set(pairwise(steps))
    for line in Flow.of_missions().lines()[1:]:
        step, _, others = line.partition(" may also go ")
        told |= {(step, other) for other in re.findall(r"\b(?!back\b|straight\b|to\b|or\b)\w+", others)}
    assert told == edges


@pytest.mark.parametrize("mission", sorted(file.stem for file in PACKS.glob("*.yaml")))
def test_the_chart_is_flat_text_with_every_piece_named_once(mission: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_pack(mission, mermaid=True)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "flowchart LR"
    piece = re.compile(r'(\w+)(\[|\(\[|\()"([^"\[\]{}()|`]*)"(\]|\]\)|\)):::\w+')
    group = re.compile(r'subgraph (\w+)\["[^"\[\]{}()|`]*"\]')
    named = []
    for line in lines:
        if match := piece.fullmatch(line) or group.fullmatch(line):
            named.append(match[1])
        else:
            assert re.fullmatch(r"end|\w+ (-->(\|\d+\|)?|==>) \w+|classDef \w+ [\w:#,-]+", line), line
    assert len(named) == len(set(named))
    used = {name for line in lines if "--> " in line or "-->|" in line for name in re.findall(r"\b[a-z]+\d+\b", line)}
    assert used <= set(named)
    assert sum(line.startswith("subgraph") for line in lines) == lines.count("end")


def test_a_label_holds_no_mark_that_mermaid_would_take_for_its_own() -> None:
    told = label('say "x" [y] {z} (a|b) <br> `c` #d; e\nf')
    assert not set('"[]{}()|<>`\n') & set(told)
    assert re.sub(r"#(\d+);", lambda code: chr(int(code[1])), told) == 'say "x" [y] {z} (a|b) <br> `c` #d; e f'


CHANGES: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "a finding": (
        lambda p: p["findings"]["fraud"][0].update(when="payment.fraud.score >= FRD_2.elevated"),
        [
            "~ finding fraud.high",
            "when",
            "before payment.fraud.score >= FRD_3.from",
            "after payment.fraud.score >= FRD_2.elevated",
        ],
    ),
    "a new option": (
        lambda p: p["options"]["fraud.high"].append({"id": "wait", "end": "no_action", "cites": ["FRD-3"]}),
        ["+ option 'wait' of fraud.high", "ends: verdict no_action", "1 added"],
    ),
    "an option less": (lambda p: p["options"]["stock.short"].pop(), ["- option 'a flagship' of stock.short", "1 removed"]),
    "the order of options": (
        lambda p: p["options"]["stock.short"].reverse(),
        [
            "~ order of the options of stock.short",
            "before another distribution centre, a store",
            "after a flagship, a substitute",
        ],
    ),
    "a step more": (
        lambda p: p["options"]["stock.not_trusted"][0]["do"].append(
            {"action": OPEN_CASE, "with": {"queue": "inventory", "subject_id": "=line.sku"}}
        ),
        ["does", "before (nothing)", "after open_case(queue: inventory, subject_id: =line.sku)"],
    ),
    "a read": (
        lambda p: p["reads"]["address"].pop("if_absent"),
        ["~ read address", "if absent", "before {'result': 'deliverable'}"],
    ),
    "a let": (lambda p: p["let"].update(paid="size(captured) > 0"), ["~ let paid", "after size(captured) > 0"]),
    "a conclusion": (
        lambda p: p["conclusions"][-1].update(end="no_action"),
        ["~ conclusion order.unchanged", "after verdict no_action"],
    ),
    "a verdict": (lambda p: p["verdicts"]["cancel"].update(keeps=[]), ["~ verdict cancel", "keeps", "after nothing"]),
    "a guard": (lambda p: p["guards"].pop(0), ["- guard for reauthorize: only this case's order is authorized"]),
    "the words of a guard": (
        lambda p: p["guards"][0].update(says="x"),
        ["~ guard for reauthorize: only", "is now guard for reauthorize: x"],
    ),
    "a draft": (lambda p: p["drafts"].update(stock_choice="Hello."), ["~ draft stock_choice", "after Hello."]),
    "who approves": (lambda p: p["approval"].update(bands="AP-11"), ["~ approval", "bands", "before GOV-3", "after AP-11"]),
    "what raises": (lambda p: p["approval"]["raises"].pop(), ["- approval raised by GOV-4 for reallocate_line"]),
    "an event": (lambda p: p["trigger"]["events"].update({"order.lost": "{order_id}"}), ["+ event order.lost"]),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_changed_is_told_in_the_words_of_the_domain(kind: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    change, lines = CHANGES[kind]
    raw = yaml.safe_load(SOURCE)
    change(raw)
    diff_packs(str(write(yaml.safe_dump(raw, sort_keys=False))), "")
    told = " ".join(capsys.readouterr().out.split())
    for line in lines:
        assert line in told


def test_what_changed_in_a_part_is_told_once_and_with_its_part(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    raw = yaml.safe_load((PACKS / "omnichannel_exception.yaml").read_text(encoding="utf-8"))
    raw["missing"]["escalate"] = "inventory"
    raw["parts"]["pickup"]["findings"]["pickup"][1]["says"] = "It needs another way."
    diff_packs("omnichannel_exception", str(write(yaml.safe_dump(raw, sort_keys=False))))
    told = capsys.readouterr().out
    assert told.count("missing evidence") == 1
    assert "~ part pickup, finding pickup.elsewhere" in told
    assert "2 changed" in told


def test_packs_that_say_the_same_have_no_differences(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    diff_packs("order_exception", str(write(f"# another comment\n{SOURCE}")))
    assert capsys.readouterr().out.startswith("Nothing changed: ")


def test_the_reference_tells_every_key_of_the_schema() -> None:
    page = (CHECKOUT / "docs" / "packs.md").read_text(encoding="utf-8")
    models = [
        one
        for one in vars(schema).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one.__module__ == schema.__name__
    ]
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert [key for key in sorted(keys) if not re.search(rf"`(?:\w+: )?{key}`", page)] == []


def test_a_tool_that_the_pack_needs_and_nobody_pinned_gets_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systems = CHECKOUT / "systems"
    (tmp_path / "systems.yaml").write_text((systems / "systems.yaml").read_text("utf-8"), "utf-8")
    pins = json.loads((systems / "pins.json").read_text("utf-8"))
    validate_pack(str(PACKS / "order_exception.yaml"))
    assert "not pinned" not in " ".join(capsys.readouterr().out.split())
    del pins["wms"]["confirm_reservation"], pins["oms"]["get_order"]
    (tmp_path / "pins.json").write_text(json.dumps(pins), "utf-8")
    with monkeypatch.context() as environment:
        environment.setenv("MISSIONS_SYSTEMS", str(tmp_path / "systems.yaml"))
        settings.cache_clear()
        validate_pack(str(PACKS / "order_exception.yaml"))
    settings.cache_clear()
    said = " ".join(capsys.readouterr().out.split())
    found = re.findall(r"hint: (\S+) is not pinned, so every call of it is refused", said)
    assert found == ["oms.get_order", "wms.confirm_reservation"]
