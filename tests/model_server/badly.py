"""All that a model's server may do badly, and what it is to whoever asked."""

from tests.model_server import behaviours as does

#: an answer that is right where a verdict and cents are asked for, and nowhere else
RIGHT = {"verdict": "refund", "cents": 120000}

#: what a server may do, and of which kind the NoAnswer is
BADLY: dict[str, tuple[does.Behaviour, str]] = {
    "an open brace": (does.Raw("{"), "malformed"),
    "prose": (does.Raw("Sorry, I cannot do that."), "malformed"),
    "a key twice": (does.Raw('{"verdict": "refund", "verdict": "hold", "cents": 1}'), "malformed"),
    "no number": (does.Raw('{"verdict": "refund", "cents": NaN}'), "malformed"),
    "a large number": (does.Raw('{"verdict": "refund", "cents": 1' + "0" * 400 + "}"), "malformed"),
    "depth": (does.Raw("[" * 3_000), "malformed"),
    "half a character": (does.Raw('"' + "\\ud800" + '"'), "malformed"),
    "one key more": (does.Say({**RIGHT, "WORDS": 1}), "malformed"),
    "another verdict": (does.Say({**RIGHT, "verdict": "WORDS"}), "malformed"),
    "cut off": (does.Raw('{"verdict": "refund"', finish="length"), "malformed"),
    "nothing": (does.Raw(""), "malformed"),
    "100,000 tokens": (does.Flood(), "malformed"),
    "a slow drip": (does.Drip(RIGHT), "outage"),
    "a slow drip of headers": (does.DripHeaders(), "outage"),
    "endless headers": (does.LongHeaders(), "outage"),
    "nothing ever": (does.Hang(), "outage"),
    "a cut connection": (does.Cut(RIGHT), "outage"),
    "500": (does.Status(500), "outage"),
    "401": (does.Status(401), "outage"),
    "429 with a long wait": (does.Status(429, retry_after="60"), "limit"),
    "429 with a date": (does.Status(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), "limit"),
    "429": (does.Status(429), "limit"),
    "HTML": (does.HTML, "malformed"),
    "gzip": (does.zipped(RIGHT), "malformed"),
    "a redirect": (does.redirect, "malformed"),
    "broken events": (does.broken_events, "malformed"),
    "an error within": (does.error_event, "outage"),
}
