"""What stands in for a secret, wherever and however it is written."""

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from systems.credentials import SHORTEST_SECRET, Secrets

SECRET = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=SHORTEST_SECRET, max_size=40)


@given(SECRET, st.text(max_size=30), st.text(max_size=30))
def test_no_secret_is_left_in_a_text_as_it_is_or_as_json_or_addresses_write_it(secret: str, before: str, after: str) -> None:
    secrets = Secrets()
    secrets.add("T", secret)
    for form in (secret, json.dumps(secret), quote(secret, safe="")):
        text = f"{before}{form}{after}"
        assert secrets.shown_in(text) and form not in secrets.hide(text).replace("[T]", "\0")


@given(st.lists(SECRET, min_size=2, max_size=8, unique=True))
def test_of_secrets_that_stand_in_each_other_none_is_left(values: list[str]) -> None:
    secrets = Secrets()
    for number, value in enumerate(values):
        secrets.add(f"\0{number}", value)
    assert not secrets.shown_in(secrets.hide(" \0 ".join(values)))


def test_the_latest_secrets_are_looked_for_however_often_a_token_is_renewed() -> None:
    secrets = Secrets()
    for number in range(1_000):
        secrets.add("KEY", "the-client-secret")
        secrets.add("T", f"token-{number:04}")
    assert secrets.hide("the-client-secret token-0999 token-0990") == "[KEY] [T] [T]"
