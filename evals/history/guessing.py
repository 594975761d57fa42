"""A mapping for an export that nobody has described: guessed from the names of its columns and what stands in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import duckdb

from evals.history.exports import ROW, quoted
from evals.history.mapping import AMOUNTS, MOMENTS, ExportMapping, Mark, MoneyFormat, Ours, TimeFormat, plain_name, vocabulary

#: of how many rows the values are looked at
_SAMPLE = 20_000
#: of the values in a column that must be what it is taken for
_NEARLY_ALL = 0.95
#: how alike two names are that are one misspelt: "Quantiy"
_ALIKE = 0.85
_DAYS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%b-%Y", "%d-%b-%y",
    "%d %b %Y", "%b %d, %Y", "%Y%m%d",
)  # fmt: skip
_TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %I:%M %p")
_SYMBOLS = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "zł": "PLN", "R$": "BRL", "CHF": "CHF", "kr": "SEK"}
#: of what is sold, at most; more is an id
_MOST_PIECES = 100_000
_MOST_STATUSES = 200


@dataclass(frozen=True)
class GuessedMapping:
    """A mapping, and for each column of ours why it is that one of theirs."""

    mapping: ExportMapping
    because: dict[Ours, str]


def number(column: str, decimal: str) -> str:
    """SQL of the number that a text says, whatever currency stands with it: 1,234.50 · (12.00) · 12.00- · € 3,50; else null."""
    thousands, point = (",", ".") if decimal == "." else (".", ",")
    digits = rf"replace(replace(regexp_replace({column}, '[^0-9,.]', '', 'g'), '{thousands}', ''), '{point}', '.')"
    sign = rf"if(regexp_matches({column}, '{_NEGATIVE}'), -1, 1)"
    plain = rf"case when regexp_matches({column}, '{_NUMBER}') then try_cast({digits} as decimal(28, 8)) * {sign} end"
    scientific = rf"case when regexp_matches({column}, '^-?[0-9.]+[eE][-+]?[0-9]+$') then try_cast({column} as double) end"
    return f"coalesce(({plain})::double, {scientific})"


#: digits and marks, before and behind them a sign or a currency by its symbol or letters: A12 is no number
_NUMBER = (
    r"^[^0-9A-Za-z]{0,4}([A-Z]{3}|[A-Za-z]{1,3}[^0-9A-Za-z]+)?[^0-9A-Za-z]{0,4}[0-9][0-9.,  ]*"
    r"[^0-9A-Za-z]{0,3}([A-Z]{3}|[A-Za-z]{2})?[^0-9A-Za-z]{0,2}$"
)
_NEGATIVE = r"^[^0-9]*[(\x{2212}-]|-\s*$"


def moment(column: str, formats: Sequence[str]) -> str:
    """SQL of the moment that a text says, in the zone of the session where it names none; else null."""
    listed = ", ".join(f"'{one}'" for one in formats)
    told = f"try_strptime({column}, [{listed}])::timestamptz" if formats else "null"
    return f"coalesce({told}, {_iso(column)})"


def _iso(column: str) -> str:
    """SQL of the moment of a text in ISO 8601, or nearly so: 2026-07-16 08:59:12 -0400, 2026-07-16 08:59 UTC."""
    with_zone = rf"regexp_replace({column}, ' ?([+-]\d\d):?(\d\d)$', '\1:\2')"
    return f"try_cast(regexp_replace({with_zone}, ' (UTC|GMT)$', '+00') as timestamptz)"


def guess(engine: duckdb.DuckDBPyConnection, there: Sequence[str]) -> GuessedMapping:
    """The mapping of the table `export` (exports.py): of a known layout where it has its columns, else a guess."""
    known = vocabulary().known(there)
    engine.execute(f"create or replace temp table sampled as from export using sample reservoir({_SAMPLE} rows) repeatable (1)")
    guessing = _Guess(engine, there)
    if known is None:
        known = ExportMapping(columns=guessing.columns())
        known = known.model_copy(update={"cancellation": guessing.cancellation(known)})
    fitted = known.fitted(there, "the export")
    return GuessedMapping(guessing.completed(fitted), guessing.because)


class _Guess:
    def __init__(self, engine: duckdb.DuckDBPyConnection, there: Sequence[str]) -> None:
        self._engine, self._there = engine, there
        self.because: dict[Ours, str] = {}

    def columns(self) -> dict[Ours, tuple[str, ...]]:
        """Ours -> theirs: by names first, then what is missing by values."""
        found: dict[Ours, str] = {}
        for ours in sorted(vocabulary().names, key=_place):
            for theirs, why in self._by_name(ours, found):
                if self._is_like(ours, theirs):
                    found[ours], self.because[ours] = theirs, why
                    break
        for ours in ("at", "order_id", "qty", "unit_price"):
            alike = (
                [one for one in self._there if one not in found.values() and self._could_be(ours, one, found)]
                if ours not in found
                else []
            )
            if len(alike) == 1 and not (ours == "unit_price" and "line_total" in found):
                found[ours], self.because[ours] = alike[0], "by its values"
        return {ours: (theirs,) for ours, theirs in found.items()}

    def _by_name(self, ours: Ours, found: dict[Ours, str]) -> Iterator[tuple[str, str]]:
        free = {plain_name(one): one for one in reversed(self._there) if one not in found.values()}
        names = [plain_name(one) for one in vocabulary().names[ours]]
        yield from ((free[name], "by its name") for name in names if name in free)
        yield from (
            (free[f"{name}{unit}"], "by its name") for name in names for unit in ("cents", "minor") if f"{name}{unit}" in free
        )
        for name in names:
            near = get_close_matches(name, free, n=1, cutoff=_ALIKE) if len(name) > 4 else []
            yield from ((free[one], f"spelt nearly like {name!r}") for one in near)

    def _is_like(self, ours: Ours, theirs: str) -> bool:
        """Whether what stands in a column may be ours."""
        if ours in MOMENTS:
            return self._share(theirs, f"{moment(quoted(theirs), self._formats(theirs))} is not null") >= _NEARLY_ALL
        if ours == "qty" or ours in AMOUNTS:
            return self._share(theirs, f"{number(quoted(theirs), self._decimal([theirs]))} is not null") >= _NEARLY_ALL
        return True

    def _could_be(self, ours: Ours, theirs: str, found: dict[Ours, str]) -> bool:
        column = quoted(theirs)
        if ours == "order_id":  # all rows of one have one time, and it stands on several rows
            if "at" not in found:
                return False
            (alike, distinct, rows) = self._one(
                f"select count_if(times = 1), count(*), sum(rows) from (select count(distinct {quoted(found['at'])}) as times, "
                f"count(*) as rows from sampled where {column} is not null group by {column})"
            )
            return bool(rows and alike >= _NEARLY_ALL * distinct and 0.01 * rows < distinct < 0.95 * rows)
        if not self._is_like(ours, theirs) or self._share(theirs, "true") == 0:
            return False
        if ours == "at":
            return True
        value = number(column, self._decimal([theirs]))
        whole, most = self._one(f"select count_if({value} = trunc({value})) / count({column}), max({value}) from sampled")
        return bool(whole > _NEARLY_ALL and most <= _MOST_PIECES) if ours == "qty" else bool(whole < _NEARLY_ALL)

    def cancellation(self, mapping: ExportMapping) -> tuple[Mark, ...]:
        """What marks the rows that take goods back: a letter before the number of the order, or less than nothing."""
        if not {"qty", "order_id"} <= mapping.columns.keys():
            return ()
        (qty,), (order,) = mapping.columns["qty"], mapping.columns["order_id"]
        below = f"{number(quoted(qty), self._decimal([qty]))} < 0"
        letter = rf"regexp_extract({quoted(order)}, '^[A-Za-z]+')"
        found = self._engine.execute(
            f"select {letter}, count(*), count_if({below}) from sampled where {letter} <> '' group by 1 order by 2 desc limit 20"
        ).fetchall()
        (negative, rows) = self._one(f"select count_if({below}), count(*) from sampled")
        for prefix, times, taken in found:
            if times < rows / 2 and taken >= _NEARLY_ALL * times:
                return (Mark(column=order, starts_with=prefix),)
        return (Mark(column=qty, below=0),) if 0 < negative < rows / 2 else ()

    def completed(self, mapping: ExportMapping) -> ExportMapping:
        """With what the values say: currency, decimals, formats of moments, the meaning of statuses, codes that are no goods."""
        columns = {ours: theirs[0] for ours, theirs in mapping.columns.items()}
        amounts = [columns[ours] for ours in (*AMOUNTS, "qty") if ours in columns]
        money = MoneyFormat.model_validate({
            "currency": mapping.money.currency or ("" if "currency" in columns else self._currency(amounts)),
            "decimal": self._decimal(amounts),
            "unit": "minor" if any(plain_name(one).endswith(("cents", "minor")) for one in amounts) else "major",
        })  # fmt: skip
        formats = dict.fromkeys(one for ours in MOMENTS if ours in columns for one in self._formats(columns[ours]))
        return mapping.model_copy(update={
            "money": money,
            "time": TimeFormat(zone=mapping.time.zone, formats=tuple(formats)),
            "statuses": self._meanings(columns.get("status"), vocabulary().statuses, mapping.statuses),
            "payments": self._meanings(columns.get("payment_status"), vocabulary().payments, mapping.payments),
            "not_goods": tuple(self._not_goods(columns)),
        })  # fmt: skip

    def _meanings(self, column: str | None, words: Any, before: Any) -> dict[str, Any]:
        if column is None:
            return {}
        listed = self._engine.execute(
            f"select {quoted(column)} as said from export where said is not null group by said "
            f"order by count(*) desc limit {_MOST_STATUSES}"
        ).fetchall()
        first = {plain_name(said): meaning for said, meaning in before.items()}
        meanings = {said: first.get(plain_name(said)) or _meaning(said, words) for (said,) in listed}
        return {said: meaning for said, meaning in meanings.items() if meaning}

    def _not_goods(self, columns: dict[Ours, str]) -> Iterator[str]:
        code = columns.get("sku") or columns["item"]
        text = quoted(columns["item"]) if "item" in columns else "null"
        words = "|".join(vocabulary().not_goods_words)
        codes = {plain_name(one) for one in vocabulary().not_goods}
        listed = self._engine.execute(
            f"select {quoted(code)}, bool_or(regexp_matches(lower({text}), '\\b({words})\\b')) from export "
            f"where {quoted(code)} is not null group by 1 order by 1"
        ).fetchall()
        for said, by_words in listed:
            has_digit = any(letter.isdigit() for letter in said)
            if plain_name(said) in codes or (by_words and not has_digit and len(said) <= 40):
                yield said

    def _currency(self, amounts: Sequence[str]) -> str:
        texts = " ".join(
            str(text)
            for one in amounts
            for (text,) in self._engine.execute(f"select {quoted(one)} from sampled limit 50").fetchall()
        )
        return next((code for sign, code in _SYMBOLS.items() if sign in texts), "")

    def _decimal(self, amounts: Sequence[str]) -> str:
        def times(point: str) -> int:
            pattern = rf"[{point}][0-9]{{1,2}}[^0-9]*$"
            return sum(
                self._one(f"select count_if(regexp_matches({quoted(one)}, '{pattern}')) from sampled")[0] for one in amounts
            )

        return "," if times(",") > times(".") else "."

    def _formats(self, column: str) -> list[str]:
        """The format of all moments of a column; none where they are ISO 8601. Of several, that in which rows are in order."""
        told = quoted(column)
        (iso, values) = self._one(f"select count({_iso(told)}), count({told}) from sampled")
        if values == 0 or iso >= _NEARLY_ALL * values:
            return []
        fit = [
            (f"{day}{time}", self._one(f"select count(try_strptime({told}, '{day}{time}')) from sampled")[0])
            for day in _DAYS
            for time in _TIMES
        ]
        most = max(times for _, times in fit)
        best = [one for one, times in fit if times == most and most >= _NEARLY_ALL * values]
        return [min(best, key=lambda one: self._inversions(told, one))] if best else []

    def _inversions(self, column: str, format_: str) -> int:
        rows = f"select {ROW} as place, try_strptime({column}, '{format_}') as told from sampled"
        before = f"select told < lag(told) over (order by place) as is_before from ({rows})"
        return int(self._one(f"select count_if(is_before) from ({before})")[0])

    def _share(self, column: str, condition: str) -> float:
        """Of the values in a column those of which a condition holds; 0 where there is none."""
        (holds, there) = self._one(
            f"select count_if({condition} and {quoted(column)} is not null), count({quoted(column)}) from sampled"
        )
        return holds / there if there else 0.0

    def _one(self, query: str) -> Any:
        return self._engine.execute(query).fetchall()[0]


def _place(ours: Ours) -> int:
    """Which column is looked for first: what has to be there, then what is named most alike elsewhere."""
    first: Sequence[Ours] = ("order_id", "at", "sku", "qty", "unit_price", "customer_id", "total")
    return first.index(ours) if ours in first else len(first)


def _meaning(said: str, words: Any) -> str | None:
    """What a status means by how it begins; the longest beginning counts."""
    plain = plain_name(said)
    fits = [word for word in words if plain.startswith(plain_name(word))]
    return words[max(fits, key=len)] if fits else None
