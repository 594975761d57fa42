"""Files of event sources: what does not load, and that no expression takes long over what others send."""

import json
import re
import time
from pathlib import Path

import pytest

from errors import BadInput
from settings import CHECKOUT
from systems.conditions import Scope
from systems.event_sources import load_mapping, load_mappings

EVENT = "events: [{mission: order_exception, trigger: {event: order.payment_review, order_id: =body.id}}]"

SIGNATURE = "signature: {scheme: hmac_sha256, header: X-Sig, secret: {env: A}, encoding: hex}"


def written(folder: Path, text: str, name: str = "shop") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


def with_condition(folder: Path, when: str) -> Path:
    return written(
        folder, f"events:\n- when: {json.dumps(when)}\n  mission: order_exception\n  trigger: {{event: order.payment_review}}\n"
    )


def test_a_folder_that_is_not_there_has_no_sources(tmp_path: Path) -> None:
    assert load_mappings(tmp_path / "nowhere") == {}
    written(tmp_path, EVENT)
    (tmp_path / "notes.txt").write_text("no source")
    assert list(load_mappings(tmp_path)) == ["shop"]


def test_the_shipped_sources_check_a_signature() -> None:
    shipped = load_mappings(CHECKOUT / "systems" / "sources")
    assert list(shipped) == ["shopify", "stripe", "zendesk"] and all(mapping.signature for mapping in shipped.values())


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("events: []", 1, "at least 1"),
        ("event: 1", 1, "did you mean events"),
        (f"{EVENT}\nheaders: [X Y]", 2, "pattern"),
        (f"{EVENT}\nheaders: [X-Topic, Authorization]", 2, "proves who sends"),
        (f"{EVENT}\nheaders: [cookie]", 2, "proves who sends"),
        (f"{EVENT}\nheaders: [x-sig]\n{SIGNATURE}", 2, "x-sig"),
        (f"{EVENT}\nsignature: {{scheme: none}}", 2, "hmac_sha256"),
        (f"{EVENT}\nignore: ['body.x ==']", 2, "does not compile"),
        (f"{EVENT}\nignore:\n- 'true'\n- order.id == 1", 4, "unknown name 'order'"),
        (f"{EVENT}\nignore: ['body.t.lowerAscii() == 1']", 2, "unknown function"),
        (EVENT.replace("=body.id", "=trigger.id"), 1, "unknown name 'trigger'"),
        (EVENT.replace("=body.id", "[1]"), 1, "trigger"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_does_not_load(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(BadInput, match=says) as told:
        load_mapping(written(tmp_path, text))
    assert f"shop.yaml, line {line}:" in str(told.value)


def test_a_source_is_named_as_the_ledger_names_sources(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="rename the file"):
        load_mapping(written(tmp_path, EVENT, "Shop one"))


@pytest.mark.parametrize(
    "when",
    [
        "body.a.all(x, body.b.exists(y, y == x))",
        "body.a.exists(x, x == ')' || body.b . exists (y, true))",
        "body.a.exists(y, body.b.existsOne(y, y == 1))",
        "body.a.map(x, body.t).size() == 1",
        "body.a.map(x, x.id > 0, headers.t).size() == 1",
        "body.a.exists(x, x == '\\')' || body.b.exists(y, true))",
        "body.a.exists(x, x == ''')''' || body.b.exists(y, true))",
        'body.a.exists(x, x == """)""" || body.b.exists(y, true))',
        "body.a.exists(x, // )\n body.b.exists(y, true))",
        "body.t.matches(body.pattern)",
        "'a'.matches('b' + body.pattern)",
        "matches('a', body.pattern)",
        "body.a.exists(x, 'a'.matches(x))",
        f"body.t == '{'x' * 2_000}'",
    ],
)
def test_an_expression_whose_time_others_choose_does_not_load(tmp_path: Path, when: str) -> None:
    with pytest.raises(BadInput, match=r"may take long|longer than"):
        load_mapping(with_condition(tmp_path, when))


@pytest.mark.parametrize(
    "when",
    [
        "body.a.filter(x, x.v != '')[0].v == 'y'",
        "body.a.map(x, x.v + x.v + x.v).size() > 500",
        "body.a.filter(x, x.id >= 0).map(x, x.v).exists(x, x == body.t)",
        "body.a.exists(x, body.t.matches('^(x+x+)+y$'))",
        "body.a.exists(x, (body.t + x.v).contains('yxy'))",
        "body.a.all(x, x.id >= 0) && body.t.startsWith('it is') || \"it's (\" == body.t",
    ],
)
def test_an_expression_takes_no_longer_than_a_body_may_make_it(tmp_path: Path, when: str) -> None:
    (event,) = load_mapping(with_condition(tmp_path, when)).events
    largest = {"a": [{"id": n, "v": "y" * 60} for n in range(500)], "t": "x" * 50_000}
    began = time.process_time()
    assert event.when.evaluate(Scope({"body": largest, "headers": {}, "ce": {}, "digest": ""})) in (True, False)
    assert time.process_time() - began < 2.0


def test_the_files_of_the_page_about_events_load(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "events.md").read_text()
    blocks = [one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "\nevents:" in one]
    signed, mailed = (load_mapping(written(tmp_path, block)) for block in blocks)
    assert signed.signature and signed.headers == ("x-shopify-topic",)
    assert mailed.mailbox and mailed.mailbox.missions == ("support_resolution", "invoice_approval")


def test_a_source_comes_one_way(tmp_path: Path) -> None:
    box = "mailbox: {host: a.example, user: a, password: {env: A}, missions: [order_exception]}"
    with pytest.raises(BadInput, match="a file of its own"):
        load_mapping(written(tmp_path, f"{EVENT}\n{SIGNATURE}\n{box}"))
