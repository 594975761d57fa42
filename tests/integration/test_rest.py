"""Systems that are reached by REST: what is sent, what is made of answers, and what a pin is of."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from errors import BadInput, OutcomeUnknown, Refused, TryAgain
from systems.calls import Call, ReadResult
from systems.client import LiveReader, LiveSystems
from systems.config import load_config
from systems.pace import FAILURES
from systems.pins import pin, write_pins
from tests.integration.rest_shop import ENTRY, Shop, late, open_shop, page, redirected


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as opened:
        yield opened


def pinned(file: Path) -> Path:
    """The file of systems, with their tools pinned as they are now."""
    with LiveSystems(load_config(file)) as systems:
        write_pins(file.with_name("pins.json"), pin(systems.tools()))
    return file


@pytest.fixture
def systems(shop: Shop, tmp_path: Path) -> Iterator[LiveSystems]:
    with LiveSystems(load_config(pinned(shop.configure(tmp_path)))) as opened:
        yield opened


def read(systems: LiveReader, tool: str = "get_order", **args: Any) -> ReadResult:
    (result,) = systems.read_all([Call(f"shop.{tool}", args)])
    return result


def test_an_answer_is_handed_up_whole_as_an_object_or_a_list(systems: LiveSystems, shop: Shop) -> None:
    calls = [
        Call("shop.get_order", {"id": "O-1"}),
        Call("shop.get_order", {"id": "O-9"}),
        Call("shop.ListOrders", {"id": ["O-1", "O-2"]}),
        Call("shop.search", {"q": "pend"}),
    ]
    one, none, several, found = systems.read_all(calls)
    assert one.value == {"order": shop.orders["O-1"]}
    assert (none.status, none.value) == ("absent", None)
    assert several.value["count"] == 2
    assert [order["id"] for order in found.value] == ["O-1", "O-2"]


SENT: list[tuple[str, dict[str, Any], str]] = [
    ("get_order", {"id": "#W23/78 ä", "fields": "id,status"}, "/admin/orders/%23W23%2F78%20%C3%A4?fields=id%2Cstatus"),
    ("ListOrders", {"id": ["a", "b"], "limit": 5}, "/admin/orders?id=a&id=b&limit=5"),
    ("ListOrders", {"status": ["new", "paid"]}, "/admin/orders?status=new%2Cpaid"),
    ("ListOrders", {"created_at": {"$gte": "2026", "in": [1, 2]}},
     "/admin/orders?created_at%5B%24gte%5D=2026&created_at%5Bin%5D%5B%5D=1&created_at%5Bin%5D%5B%5D=2"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "args", "path"), SENT)
def test_arguments_go_where_the_document_says(systems: LiveSystems, shop: Shop, tool: str, args: Any, path: str) -> None:
    read(systems, tool, **args)
    # a server sees the path decoded; the query as it is
    assert shop.asked[-1][1].partition("?")[2] == path.partition("?")[2]
    assert shop.asked[-1][1].partition("?")[0].split("/")[:3] == path.partition("?")[0].split("/")[:3]


def test_a_write_carries_its_nested_body_and_its_key_in_the_header(systems: LiveSystems, shop: Shop) -> None:
    call = Call("shop.CancelOrder", {"id": "O-1", "reason": "ä", "notify": {"email": True}})
    assert systems.honours_keys(call)
    first, again = systems.write(call, "k-1"), systems.write(call, "k-1")
    assert (first.replayed, again.replayed) == (False, True)
    assert shop.orders["O-1"]["status"] == "canceled"
    _, path, headers, body = shop.asked[0]
    assert (path, headers["idempotency-key"], headers["content-type"]) == ("/admin/orders/O-1/cancel", "k-1", "application/json")
    assert json.loads(body) == {"reason": "ä", "notify": {"email": True}}


def test_a_form_is_sent_where_the_document_says_so_and_an_empty_answer_says_that_it_was_done(
    systems: LiveSystems, shop: Shop
) -> None:
    args = {"order_id": "O 1", "amount": 5, "metadata": {"a": "b"}, "expand": ["x", "y"]}
    call = Call("shop.CreateRefund", args)
    assert not systems.honours_keys(call)
    assert systems.write(call, "k").answer == {"ok": True}
    _, _, headers, body = shop.asked[0]
    assert headers["content-type"] == "application/x-www-form-urlencoded" and "idempotency-key" not in headers
    assert body == b"order_id=O+1&amount=5&metadata%5Ba%5D=b&expand%5B%5D=x&expand%5B%5D=y"


def test_the_configuration_may_name_the_header_of_the_key(shop: Shop, tmp_path: Path) -> None:
    file = pinned(shop.configure(tmp_path, ENTRY + "    idempotency_header: X-Once\n"))
    with LiveSystems(load_config(file)) as systems:
        systems.write(Call("shop.CreateRefund", {"order_id": "O-1"}), "k")
        read(systems, id="O-1")
    assert shop.asked[0][2]["x-once"] == "k" and "x-once" not in shop.asked[1][2]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"id": "O-1"}, "needs 'reason'"),
    ({"id": "O-1", "reason": "x", "colour": 1}, "takes no 'colour'"),
    ({"id": "", "reason": "x"}, "empty or leads elsewhere"),
    ({"id": "..", "reason": "x"}, "empty or leads elsewhere"),
    ({"id": "a/../../admin", "reason": "x"}, "empty or leads elsewhere"),
    ({"id": "%2e%2e", "reason": "x"}, "empty or leads elsewhere"),
    ({"id": None, "reason": "x"}, "is null"),
    ({"id": {"a": 1}, "reason": "x"}, "an object"),
]


@pytest.mark.parametrize(("args", "sentence"), WRONG)
def test_what_cannot_be_said_is_refused_before_anything_is_sent(
    systems: LiveSystems, shop: Shop, args: Any, sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        systems.write(Call("shop.CancelOrder", args), "k")
    assert shop.asked == []


@pytest.mark.parametrize("nothing", [[], {}, None])
def test_a_filter_that_is_empty_does_not_ask_for_everything(systems: LiveSystems, shop: Shop, nothing: object) -> None:
    result = read(systems, "ListOrders", id=nothing)
    assert result.status == "failed" and shop.asked == []


def test_a_key_with_a_line_break_is_not_sent(systems: LiveSystems, shop: Shop) -> None:
    with pytest.raises(Refused, match="header"):
        systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k\r\nHost: evil")
    assert shop.asked == []


@pytest.mark.parametrize("tool", ["CancelOrder", "CreateRefund", "UploadFile", "elsewhere"])
def test_no_operation_reads_unless_it_is_configured_so(systems: LiveSystems, shop: Shop, tool: str) -> None:
    with pytest.raises(Refused):
        read(systems, tool, id="O-1")
    assert shop.asked == []


def test_a_get_that_is_not_configured_as_a_read_is_a_write_and_a_post_needs_somebodys_yes(shop: Shop, tmp_path: Path) -> None:
    entry = ENTRY.replace("get_order, ", "").replace(", only_reads: true", "")
    with LiveSystems(load_config(pinned(shop.configure(tmp_path, entry)))) as systems:
        with pytest.raises(Refused, match="counts as a WRITE"):
            read(systems, id="O-1")
        with pytest.raises(Refused, match="declares that it writes"):
            read(systems, "search", q="x")
    assert shop.asked == []


def test_a_refusal_is_told_in_the_words_of_the_server_as_plain_text(systems: LiveSystems, shop: Shop) -> None:
    shop.orders["O-1"]["status"] = "shipped"
    with pytest.raises(Refused, match=r"^Order O-1 is shipped\. \(409 Conflict\)$"):
        systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")
    shop.answers(422, text="<html><script>alert(1)</script>" + "x" * 10_000)
    with pytest.raises(Refused, match=r"^shop answered 422 Unprocessable (Entity|Content)$"):
        systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k2")
    shop.answers(400, {"error": {"message": "No " + "x" * 10_000}})
    with pytest.raises(Refused) as refused:
        systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k3")
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("status", [503, 500, 400, 302])
def test_a_read_that_is_not_answered_is_no_evidence_and_says_why(systems: LiveSystems, shop: Shop, status: int) -> None:
    shop.answers(status, {"message": "Not now."})
    result = read(systems, id="O-1")
    assert result.status == "failed" and f"Not now. ({status}" in str(result.error)


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_is_sent_again_when_the_system_asks_to_wait(systems: LiveSystems, shop: Shop, status: int) -> None:
    shop.answers(status, {"message": "Not now."}, **{"retry-after": "0"})
    assert read(systems, id="O-1").status == "ok"
    assert len(shop.asked) == 2


def test_a_system_that_is_down_again_and_again_is_left_alone(shop: Shop, tmp_path: Path) -> None:
    file = pinned(shop.configure(tmp_path))
    file.write_text(file.read_text().replace(f":{shop.port}", ":9"))
    with LiveSystems(load_config(file)) as systems:
        for _ in range(FAILURES):
            with pytest.raises(TryAgain, match="shop cannot be reached"):
                systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")
        with pytest.raises(TryAgain, match="left alone"):
            systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")
        assert "left alone" in str(read(systems, id="O-1").error)


def test_no_log_says_whose_record_was_read(shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = pinned(shop.configure(tmp_path))
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG), LiveSystems(load_config(file)) as systems:
        read(systems, id="O-1", fields="somebody")
    assert shop.asked and "O-1" not in caplog.text and "somebody" not in caplog.text


def test_credentials_go_with_each_request_and_never_into_a_sentence(shop: Shop, tmp_path: Path) -> None:
    entry = ENTRY + "    auth: {{headers: {{X-Shop-Token: {{env: SHOP_TOKEN}}}}}}\n"
    file = pinned(shop.configure(tmp_path))
    shop.configure(tmp_path, entry)
    with LiveSystems(load_config(file), extra_env={"SHOP_TOKEN": "the-secret-token"}) as systems:
        assert read(systems, id="O-1").status == "ok"
        shop.answers(409, {"message": "the-secret-token is wrong"})
        with pytest.raises(Refused) as refused:
            systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")
        shop.answers(200, {"order": "the-secret-token"})
        assert "repeats a secret" in str(read(systems, id="O-1").error)
    assert "the-secret-token" not in str(refused.value) and "is wrong" in str(refused.value)
    assert {headers["x-shop-token"] for _, _, headers, _ in shop.asked} == {"the-secret-token"}
    with LiveSystems(load_config(file)) as systems:
        assert "SHOP_TOKEN is not set" in str(read(systems, id="O-1").error)


def test_a_page_that_says_404_is_no_evidence_that_there_is_no_record(systems: LiveSystems, shop: Shop) -> None:
    shop.instead.append(page("Cannot GET /admin/orders/O-1", 404))
    assert read(systems, id="O-1").status == "failed"
    shop.answers(404, text="")
    assert read(systems, id="O-1").status == "failed"
    shop.answers(404, {"message": "no such route"})
    assert read(systems, "ListOrders").status == "failed"


def test_the_configuration_may_say_by_the_status_what_is_absent(shop: Shop, tmp_path: Path) -> None:
    file = pinned(shop.configure(tmp_path, ENTRY + "    absent_when: has(answer.status) && answer.status == 404\n"))
    with LiveSystems(load_config(file)) as systems:
        shop.answers(404, text="")
        assert read(systems, id="O-1").status == "absent"


@pytest.mark.parametrize(
    ("status", "error"), [(429, TryAgain), (404, Refused), (503, OutcomeUnknown), (500, OutcomeUnknown), (302, OutcomeUnknown)]
)
def test_what_became_of_a_write_is_known_only_where_the_server_says_it(
    systems: LiveSystems, shop: Shop, status: int, error: type[Exception]
) -> None:
    shop.answers(status, {"message": "No."})
    with pytest.raises(error, match=r"No\. \(|asks to wait"):
        systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")
    assert len(shop.asked) == 1


def test_a_write_that_is_accepted_and_not_yet_done_is_pending(systems: LiveSystems, shop: Shop) -> None:
    shop.answers(202, text="")
    assert systems.write(Call("shop.CreateRefund", {"order_id": "O-1"}), "k").answer == {"status": "pending"}


def test_a_late_answer_fails_a_read_and_leaves_a_write_unknown_and_the_others_are_answered(
    systems: LiveSystems, shop: Shop
) -> None:
    shop.instead.append(late(2.5))
    first, second = systems.read_all([Call("shop.get_order", {"id": "O-1"}), Call("shop.get_order", {"id": "O-2"})])
    assert sorted([first.status, second.status]) == ["failed", "ok"]
    assert "did not answer within 2 seconds" in f"{first.error}{second.error}"
    shop.instead.append(late(2.5))
    with pytest.raises(OutcomeUnknown, match="did not answer"):
        systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")


def test_redirects_are_not_followed(systems: LiveSystems, shop: Shop) -> None:
    with open_shop() as elsewhere:
        shop.instead.append(redirected(f"{elsewhere.url}/admin/orders/O-1"))
        assert read(systems, id="O-1").status == "failed"
        assert elsewhere.asked == []


BODIES: dict[str, tuple[str, str, str]] = {
    "a page": ("<html>Sign in", "text/html", "not JSON"),
    "junk": ("junk", "application/json", "not valid JSON"),
    "a key twice": ('{"order": 1, "order": 2}', "application/json", "appears twice"),
    "a text": ('"order"', "application/json", "neither a JSON object nor a list"),
    "too long": ('{"order": "' + "x" * 3_000_000 + '"}', "application/json", "2,000,000 bytes"),
    "nothing": ("", "application/json", "not valid JSON"),
}


@pytest.mark.parametrize("what", BODIES)
def test_an_answer_that_is_no_json_of_a_readable_size_is_no_evidence_and_no_receipt(
    systems: LiveSystems, shop: Shop, what: str
) -> None:
    text, kind, sentence = BODIES[what]
    shop.answers(200, text=text, kind=kind)
    assert sentence in str(read(systems, id="O-1").error)
    if text:
        shop.answers(200, text=text, kind=kind)
        with pytest.raises(OutcomeUnknown, match=sentence):
            systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")


@pytest.fixture
def raw(shop: Shop) -> Iterator[Callable[[bytes], None]]:
    """Puts a server in the place of the shop that answers these bytes to whatever comes, and closes."""
    listening: list[socket.socket] = []

    def serve(answer: bytes) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        shop.port = server.getsockname()[1]

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    shop.asked.append(("", "", {}, b""))
                    try:
                        connection.sendall(answer)
                    except OSError:
                        continue

        threading.Thread(target=run, daemon=True).start()

    yield serve
    for server in listening:
        server.close()


def test_a_read_whose_connection_ends_is_sent_again_once_and_a_write_never(
    shop: Shop, raw: Callable[[bytes], None], tmp_path: Path
) -> None:
    raw(b"")
    with LiveSystems(load_config(pinned(shop.configure(tmp_path)))) as systems:
        result = read(systems, id="O-1")
        assert result.status == "failed" and len(shop.asked) == 2
        with pytest.raises(OutcomeUnknown):
            systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")
        assert len(shop.asked) == 3


def test_a_connection_that_the_server_may_be_about_to_close_is_not_used_again(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("systems.http._IDLE", 0.3)
    call = Call("shop.CreateRefund", {"order_id": "O-1"})
    with LiveSystems(load_config(pinned(shop.configure(tmp_path)))) as systems:
        systems.write(call, "k")
        time.sleep(0.5)
        systems.write(call, "k")
    assert len(shop.connections) == 2


def test_a_compressed_answer_is_not_unpacked(shop: Shop, raw: Callable[[bytes], None], tmp_path: Path) -> None:
    raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
    with LiveSystems(load_config(pinned(shop.configure(tmp_path)))) as systems:
        assert "compressed" in str(read(systems, id="O-1").error)


def test_a_system_that_is_down_is_told_and_found_again(shop: Shop, tmp_path: Path) -> None:
    file = pinned(shop.configure(tmp_path))
    away = tmp_path / "systems.yaml"
    away.write_text(file.read_text().replace(f":{shop.port}", ":9"))
    with LiveSystems(load_config(away)) as systems:
        assert "shop cannot be reached" in str(read(systems, id="O-1").error)
        with pytest.raises(TryAgain, match="shop cannot be reached"):
            systems.write(Call("shop.CancelOrder", {"id": "O-1", "reason": "x"}), "k")


def test_where_it_only_reads_it_writes_nothing(shop: Shop, tmp_path: Path) -> None:
    with LiveReader(load_config(pinned(shop.configure(tmp_path)))) as reads:
        assert read(reads, id="O-1").status == "ok"
        with pytest.raises(Refused):
            read(reads, "CancelOrder", id="O-1", reason="x")


def test_a_pin_is_of_an_operation_with_all_that_it_refers_to(shop: Shop, tmp_path: Path) -> None:
    before = load_config(pinned(shop.configure(tmp_path))).pins["shop"]
    shop.document = shop.document.replace("status: {type: string}", "status: {type: string, description: Approve.}")
    after = load_config(pinned(shop.configure(tmp_path))).pins["shop"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"get_order", "ListOrders"} and before.keys() == after.keys()
    shop.document = shop.document.replace("explode: false", "explode: true")
    now = load_config(pinned(shop.configure(tmp_path))).pins["shop"]
    assert {name for name in after if after[name] != now[name]} == {"ListOrders"}


def test_a_document_that_changes_while_it_is_used_is_refused_until_it_is_pinned_again(
    systems: LiveSystems, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call("shop.CancelOrder", {"id": "O-1", "reason": "x"})
    assert systems.honours_keys(call)
    monkeypatch.setattr("systems.rest.LISTED_FOR", 0.0)
    monkeypatch.setattr("systems.connection.LISTED_FOR", 0.0)
    shop.document = shop.document.replace("required: [reason]", "required: []")
    shop.configure(tmp_path)
    with pytest.raises(Refused, match="not as it was when it was pinned"):
        systems.write(call, "k")
    assert shop.asked == []
    assert read(systems, id="O-1").status == "ok"  # this one is as it was
    shop.document = "openapi: 3.0.0"
    shop.configure(tmp_path)
    assert "no operation" in str(read(systems, id="O-1").error)
    with pytest.raises(TryAgain, match="no operation"):
        systems.write(call, "k")


def test_the_document_may_be_at_the_address_of_the_system(shop: Shop, tmp_path: Path) -> None:
    shop.document = json.dumps({"openapi": "3.1.0", "paths": {"/admin/orders/{id}": {"get": {"parameters": [
        {"name": "id", "in": "path", "required": True}]}}}})  # fmt: skip
    entry = "systems:\n  shop: {{openapi: '{url}/openapi.json', url: '{url}', reads: [get_admin_orders_id]}}\n"
    with LiveSystems(load_config(pinned(shop.configure(tmp_path, entry)))) as systems:
        start = time.monotonic()
        assert read(systems, "get_admin_orders_id", id="O-1").value == {"order": shop.orders["O-1"]}
        assert time.monotonic() - start < 5


PAGED = """
    records:
      orders:
        key: id
        lists:
          all_orders:
            by: []
            tool: ListOrders
            send: {{limit: 2}}
            at: orders
            pages: {{ask: {{limit: =answer.next}}, most: 3}}
"""


@pytest.fixture
def all_orders(shop: Shop, tmp_path: Path) -> Iterator[Callable[[], ReadResult]]:
    """A read of all orders, which come in pages."""
    with LiveSystems(load_config(pinned(shop.configure(tmp_path, ENTRY + PAGED)))) as opened:
        yield lambda: read(opened, "all_orders")


def paged(shop: Shop, *pages: tuple[list[str], object]) -> None:
    for ids, following in pages:
        shop.answers(200, {"orders": [{"id": one} for one in ids], "next": following})


def test_a_list_that_comes_in_pages_is_read_whole(all_orders: Callable[[], ReadResult], shop: Shop) -> None:
    paged(shop, (["1", "2"], 4), (["3", "4"], 6), (["5"], None))
    assert [one["id"] for one in all_orders().value] == ["1", "2", "3", "4", "5"]
    assert [path.partition("?")[2] for _, path, _, _ in shop.asked] == ["limit=2", "limit=4", "limit=6"]


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([(["1"], 4), (["2"], 6), (["3"], 8)], "more than 3 pages"),
        ([(["1", "2"], 4), (["2", "3"], None)], "stands on two of its pages"),
    ],
)
def test_a_list_whose_pages_do_not_come_to_a_whole_is_no_evidence(
    all_orders: Callable[[], ReadResult], shop: Shop, pages: list[tuple[list[str], object]], why: str
) -> None:
    paged(shop, *pages)
    result = all_orders()
    assert (result.status, result.value) == ("failed", None)
    assert why in str(result.error)


def test_a_page_that_does_not_say_whether_there_is_another_and_one_that_is_missing_are_no_evidence(
    all_orders: Callable[[], ReadResult], shop: Shop
) -> None:
    shop.answers(200, {"orders": [{"id": "1"}]})
    assert "is not known" in str(all_orders().error)
    paged(shop, (["1"], 4))
    shop.answers(500, {"message": "Not now."})
    assert "Not now." in str(all_orders().error)
    paged(shop, (["1"], 4))
    shop.answers(404, {"message": "No such page."})
    assert "No such page." in str(all_orders().error)


VERSIONED = (
    ENTRY.replace("    operations:\n", "    operations:\n      cancel: {{operation: CancelOrder, if_match: get_order}}\n")
    + "    records: {{orders: {{key: id, read: get_order, at: order}}}}\n"
)


def test_a_write_is_of_the_record_as_it_was_found_or_it_is_not_sent(shop: Shop, tmp_path: Path) -> None:
    expects = ({"system": "shop", "record": "O-1", "field": "status", "before": "pending"},)
    cancel = Call("shop.cancel", {"id": "O-1", "reason": "x"}, expects=expects)
    pending = {"order": {"id": "O-1", "status": "pending"}}
    with LiveSystems(load_config(pinned(shop.configure(tmp_path, VERSIONED)))) as systems:
        shop.answers(200, pending, etag='"7"')
        systems.write(cancel, "k")
        asked = [(method, path, headers.get("if-match")) for method, path, headers, _ in shop.asked]
        assert asked == [("GET", "/admin/orders/O-1", None), ("POST", "/admin/orders/O-1/cancel", '"7"')]
        shop.answers(200, {"order": {"id": "O-1", "status": "shipped"}}, etag='"8"')
        with pytest.raises(Refused, match="O-1 status is 'shipped' now and was 'pending'"):
            systems.write(cancel, "k2")
        shop.answers(200, pending)
        with pytest.raises(Refused, match="no ETag"):
            systems.write(cancel, "k3")
        shop.answers(404, {"message": "No such order."})
        with pytest.raises(Refused, match="not there"):
            systems.write(cancel, "k4")
        shop.answers(500, {"message": "Not now."})
        with pytest.raises(TryAgain, match="cannot be looked at"):
            systems.write(cancel, "k5")
        assert [method for method, *_ in shop.asked] == ["GET", "POST", "GET", "GET", "GET", "GET"]
        shop.answers(200, pending, etag='"7"')
        shop.answers(412, {"message": "It was changed."})
        with pytest.raises(Refused, match="It was changed"):
            systems.write(cancel, "k6")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("if_match: get_order", "if_match: ListOrders", "`read` of none of its records"),
        ("{{operation: CancelOrder, if_match: get_order}}", "{{operation: CreateRefund, if_match: get_order}}", "takes 'id'"),
    ],
)
def test_an_if_match_that_cannot_be_asked_for_is_found_before_anything_is_called(
    shop: Shop, tmp_path: Path, before: str, after: str, sentence: str
) -> None:
    file = shop.configure(tmp_path, VERSIONED.replace(before, after))
    with pytest.raises((BadInput, TryAgain), match=sentence), LiveSystems(load_config(file)) as systems:
        systems.tools()
