"""Texts of elements and values of documents: the conversions, both ways, and code tables.

`read` tables are dicts that fill themselves: a text converted once is found at once the next time. They are
bounded, because partners choose what goes in, and keys are checked before they are converted, so nothing a
partner wrote can be costly. The empty text reads as None.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_REMEMBERED = 16384  # texts per conversion, some 2 MB
_EXACT_DIGITS = 24  # that arithmetic with decimals (28 digits) keeps for sure
_MOST_DIGITS = 30  # of any number; X12 R is at most 18, and a numeral must not become a cost

_DECIMAL = re.compile(r"-?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})", re.ASCII)
_EITHER = re.compile(r"-?(?:\d{1,30}(?:[.,]\d{0,30})?|[.,]\d{1,30})", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_DATE = re.compile(r"\d{8}", re.ASCII)
_TIME = re.compile(r"\d{4}(?:\d\d(?:\d{1,2})?)?", re.ASCII)


class _Remembering(dict[str, Any]):
    """Text -> value, converted on first sight; raises ValueError for what cannot be converted."""

    def __init__(self, convert: Callable[[str], Any], empty: Any = None) -> None:
        super().__init__({"": empty})
        self.convert = convert
        self.empty = empty

    def __missing__(self, text: str) -> Any:
        value = self.convert(text)
        if len(self) >= _REMEMBERED:
            self.clear()
            self[""] = self.empty
        self[text] = value
        return value


class _Same(dict[str, Any]):
    """Text as it is."""

    def __missing__(self, text: str) -> str:
        return text


class _Decimals(_Remembering):
    """Prices are seen for the first time often: digits, which nearly every number is, are converted here."""

    def __missing__(self, text: str) -> Any:
        if not (text.replace(".", "", 1).isdecimal() and text.isascii() and len(text) < _MOST_DIGITS):
            return super().__missing__(text)
        value = Decimal(text)
        if len(self) < _REMEMBERED:
            self[text] = value
        else:
            self.clear()
            self[""] = None
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """`read[text]` is the value; `write(value)` its text. Both raise ValueError saying what is wrong."""

    name: str
    read: Mapping[str, Any]
    write: Callable[[Any], str]


class Codes:
    """A two-way table of codes and words; what it does not know stays as it is.

    `words[code]` is the word. `texts[word]` is the code, "" for None; a code that has a word is refused by
    ValueError, since it would come back as the word.
    """

    def __init__(self, words: dict[str, str]) -> None:
        self.words = _Same({"": None, **words})
        self.codes = {word: code for code, word in words.items()}
        self.texts = _Codes(self.words, self.codes)


class _Codes(dict[str | None, str]):
    def __init__(self, words: dict[str, Any], codes: dict[str, str]) -> None:
        super().__init__()
        for word, code in codes.items():
            self[word] = code
        self[None] = self[""] = ""
        self.words = words

    def __missing__(self, word: str | None) -> str:
        if not isinstance(word, str):
            raise ValueError(f"is {type(word).__name__}, not text")  # noqa: TRY004 - a value like any other
        if word in self.words:
            raise ValueError(f"code {word!r} is called {self.words[word]!r}")
        return word


def _matching(pattern: re.Pattern[str], what: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if not pattern.fullmatch(text):
            raise ValueError(f"is no {what}")
        return convert(text)

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {type(value).__name__}, not text")  # noqa: TRY004 - a value like any other that cannot be written
    return value


def _decimal_text(value: Any) -> str:
    """Plain digits; an exponent never reaches the wire."""
    if type(value) is Decimal:
        text = str(value)
        if len(text) < _MOST_DIGITS and _DECIMAL.fullmatch(text):
            return text
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise ValueError(f"is {type(value).__name__}, not a decimal")  # noqa: TRY004 - a value like any other that cannot be written
    if not value.is_finite() or (value and abs(value.adjusted()) > _MOST_DIGITS):
        raise ValueError("is no number that can be written")
    text = format(value, "f")
    if len(text) > 2 * _MOST_DIGITS:
        raise ValueError("has too many digits")
    return text


def _integer_text(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"is {type(value).__name__}, not a whole number")  # noqa: TRY004 - a value like any other that cannot be written
    if abs(value) >= 10**18:
        raise ValueError("has too many digits")
    return str(value)


def _date(text: str) -> dt.date:
    try:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        raise ValueError("is no date") from None


def _date_text(value: Any) -> str:
    """CCYYMMDD."""
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise ValueError(f"is {type(value).__name__}, not a date")  # noqa: TRY004 - a value like any other that cannot be written
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def _time(text: str) -> dt.time:
    """HHMM, HHMMSS, HHMMSSD or HHMMSSDD (X12 TM)."""
    try:
        return dt.time(
            int(text[:2]), int(text[2:4]), int(text[4:6] or 0), int(text[6:].ljust(2, "0")) * 10_000
        )
    except ValueError:
        raise ValueError("is no time") from None


def _time_text(value: Any) -> str:
    """The shortest of the forms that loses nothing."""
    if not isinstance(value, dt.time) or value.tzinfo is not None:
        raise ValueError(f"is {type(value).__name__}, not a local time")
    hundredths, lost = divmod(value.microsecond, 10_000)
    if lost:
        raise ValueError("is finer than a hundredth of a second")
    text = f"{value.hour:02d}{value.minute:02d}"
    if value.second or hundredths:
        text += f"{value.second:02d}"
    if hundredths:
        text += f"{hundredths:02d}".rstrip("0")
    return text


CONVERSIONS = {
    "text": Conversion("text", _Same({"": None}), _text),
    "decimal": Conversion("decimal", _Decimals(_matching(_DECIMAL, "number", Decimal)), _decimal_text),
    "integer": Conversion("integer", _Remembering(_matching(_INTEGER, "whole number", int)), _integer_text),
    "date": Conversion("date", _Remembering(_matching(_DATE, "date", _date)), _date_text),
    "time": Conversion("time", _Remembering(_matching(_TIME, "time", _time)), _time_text),
}


def _with_either_mark(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


EITHER_MARK = Conversion("decimal", _Decimals(_matching(_EITHER, "number", _with_either_mark)), _decimal_text)
"""Decimals of EDIFACT, where each interchange has its own decimal mark; written with a point."""


def flowing(parts: list[str], width: int) -> tuple[str | None, bool]:
    """A text over components, each of which is full before the next is begun.

    Where that is not so it is what stands in the first alone, and False says that there is more.
    """
    text = parts[0] if parts else ""
    for at in range(1, len(parts)):
        if parts[at] and len(text) != at * width:
            return parts[0] or None, False
        text += parts[at]
    return text or None, True


def pieces(text: str, width: int, count: int) -> list[str]:
    """A text as `count` components, some of them empty; raises ValueError where they cannot hold it."""
    if len(text) > width * count:
        raise ValueError(f"has {len(text)} characters where {width * count} fit")
    return [text[at : at + width] for at in range(0, width * count, width)]


Moment = tuple[dt.date | None, dt.time | None, bool]
"""A date and a time, and whether that is all that was said."""

_NEVER: Moment = (None, None, True)
_ELSE: Moment = (None, None, False)

_FORMATS = {  # of element 2379, two digits a letter: century, year, month, day, hour, minute, second
    "2": "dmy",
    "3": "mdy",
    "4": "dmcy",
    "5": "dmcyHM",
    "101": "ymd",
    "102": "cymd",
    "201": "ymdHM",
    "202": "ymdHMS",
    "203": "cymdHM",
    "204": "cymdHMS",
    "401": "HM",
    "402": "HMS",
}


def _moment(text: str) -> Moment:
    """The date and the time in 2380 and 2379, with "\x1f" between."""
    value, _, code = text.partition("\x1f")
    form = _FORMATS.get(code)
    if form is None or not value:
        return _NEVER if text in ("", "\x1f") else _ELSE
    if len(value) != 2 * len(form) or not (value.isascii() and value.isdecimal()):
        raise ValueError(f"is not in format {code}")
    part = {letter: int(value[2 * at : 2 * at + 2]) for at, letter in enumerate(form)}
    try:
        date = dt.date(100 * part.get("c", 20) + part["y"], part["m"], part["d"]) if "d" in part else None
        time = dt.time(part["H"], part["M"], part.get("S", 0)) if "H" in part else None
    except ValueError:
        raise ValueError(f"is no date or time in format {code}") from None
    return date, time, True


def _only_date(text: str) -> Moment:
    date, time, exact = _moment(text)
    return date, None, exact and (time is None or (date is not None and time == dt.time()))


def _only_time(text: str) -> Moment:
    date, time, exact = _moment(text)
    return (None, time, exact) if date is None else _ELSE


MOMENTS: dict[tuple[str, ...], Mapping[str, Moment]] = {
    ("date",): _Remembering(_only_date, _NEVER),
    ("time",): _Remembering(_only_time, _NEVER),
    ("date", "time"): _Remembering(_moment, _NEVER),
}
"""Date and time in the text "2380\\x1f2379", by which have fields, and whether those say all.

They do not of a period, a week, a time zone, or a time of day where only the date has a field; that date is
given all the same. Raises ValueError where the value is not in the format that it names.
"""


def moment_texts(date: dt.date | None, time: dt.time | None) -> tuple[str, str]:
    """2380 and 2379 of a date, a time or both, in the shortest format that loses nothing."""
    day = "" if date is None else _date_text(date)
    if time is None:
        return day, "102" if day else ""
    clock = _time_text(time)
    if time.microsecond:
        raise ValueError("is finer than a second")
    seconds = len(clock) > 4
    return day + clock, ("204" if seconds else "203") if day else ("402" if seconds else "401")


def _implied(places: int) -> Conversion:
    scale = Decimal(1).scaleb(-places)

    def read(text: str) -> Decimal:
        return Decimal(text) * scale

    def write(value: Any) -> str:
        text = _decimal_text(value)
        if len(text) > _EXACT_DIGITS:
            raise ValueError("has too many digits")
        digits = Decimal(text) / scale
        if digits != digits.to_integral_value():
            raise ValueError(f"has more than {places} decimals")
        return format(digits.to_integral_value(), "f")

    return Conversion(
        f"implied decimal {places}", _Remembering(_matching(_INTEGER, "whole number", read)), write
    )


_IMPLIED = {places: _implied(places) for places in range(1, 10)}


def implied_decimal(places: int) -> Conversion:
    """The conversion of X12 Nn: digits whose last `places` are decimals."""
    return _IMPLIED[places] if places else CONVERSIONS["decimal"]
