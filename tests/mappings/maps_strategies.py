"""Documents drawn from a map: every field it places, with any value that the field can hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from edi.documents import Document
from mappings import Map
from mappings.language import Field, Pairs, Scope, Texts

TEXT = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters=">", exclude_categories=("Cc",)),
    min_size=1,
    max_size=8,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "decimal": st.decimals(-(10**9), 10**9, places=3, allow_nan=False) | st.integers(0, 99).map(Decimal),
    "integer": st.integers(-(10**6), 10**6),
    "date": st.dates(),
    "time": st.times().map(lambda time: time.replace(microsecond=time.microsecond // 10_000 * 10_000)),
}


def documents(map: Map) -> st.SearchStrategy[Document]:
    """Any document that `map` can write."""
    values = _values(map._scope)
    if map._shape is None:
        return values
    return (
        values.map(map._shape.to_document).filter(lambda read: read[0] is not None).map(lambda read: read[0])
    )


def _values(scope: Scope) -> st.SearchStrategy[Any]:
    fields: dict[tuple[str, ...], st.SearchStrategy[Any]] = {}
    _gather(scope, fields)
    value = _struct(scope, scope.struct, fields, ())
    if scope.tree:
        name = scope.path[-1]
        return st.recursive(
            value,
            lambda inner: st.builds(
                lambda one, inside: msgspec.structs.replace(one, **{name: tuple(inside)}),
                value,
                st.lists(inner, max_size=2),
            ),
            max_leaves=6,
        )
    return value


def _gather(scope: Scope, fields: dict[tuple[str, ...], st.SearchStrategy[Any]]) -> None:
    for slot in scope.slots:
        for item in slot.fields:
            fields[item.path] = _one(item)
            if slot.selector and item.place == slot.selector.place and item.conversion.name == "text":
                word = item.codes.words[slot.selector.code] if item.codes else slot.selector.code
                fields[item.path] = st.just(word)
        for pairs in slot.pairs:
            fields[pairs.path] = _pairs([part for _, part in pairs.all])
        for texts in slot.texts:
            most = slot.node.max_use or 4
            fields[texts.path] = _texts(texts, min(4, most * len(texts.places) if texts.repeats else 9))
    for inner in scope.scopes:
        if inner.many:
            fields[inner.path] = st.lists(_values(inner), max_size=2).map(tuple)
        else:
            _gather(inner, fields)


def _one(item: Field) -> st.SearchStrategy[Any]:
    name = item.conversion.name
    if item.formatted and name == "time":
        value: st.SearchStrategy[Any] = st.times().map(lambda time: time.replace(microsecond=0))
    elif name.startswith("implied"):
        value = st.decimals(-(10**9), 10**9, places=int(name[-1]), allow_nan=False)
    elif item.codes:
        codes = item.codes
        value = st.sampled_from(sorted(codes.codes)) | TEXT.filter(lambda text: text not in codes.words)
    elif item.last:
        most = item.width * (item.last - item.component + 1)
        value = TEXT | st.integers(1, most).map(lambda length: "x" * length)
    else:
        value = VALUES[name]
    return value if item.required else st.none() | value


def _pairs(parts: list[Pairs]) -> st.SearchStrategy[dict[str, str]]:
    pairs, places = parts[0], [place for part in parts for place in part.places]
    told = [place.kind for place in places if place.kind]
    free = 9 if any(part.repeats for part in parts) else len(places) - len(told)
    words = pairs.codes.words if pairs.codes else ()
    kinds = TEXT.filter(lambda text: text not in words and text not in told)
    if pairs.codes:
        kinds |= st.sampled_from(sorted(pairs.codes.codes))
    known = st.dictionaries(kinds, TEXT, max_size=min(free, 4)) if free else st.just({})
    by_place = st.dictionaries(st.sampled_from(told), TEXT) if told else st.just({})
    return st.builds(lambda one, other: {**one, **other}, known, by_place)


def _texts(texts: Texts, most: int) -> st.SearchStrategy[tuple[str, ...]]:
    most = most if texts.repeats else min(most, len(texts.places))
    return st.lists(TEXT, max_size=most).map(tuple)


def _struct(
    scope: Scope,
    struct: type[msgspec.Struct],
    fields: dict[tuple[str, ...], st.SearchStrategy[Any]],
    path: tuple[str, ...],
) -> st.SearchStrategy[Any]:
    inside = scope.structs()
    arguments: dict[str, st.SearchStrategy[Any]] = {}
    for name in struct.__struct_fields__:
        here = (*path, name)
        if here in inside:
            nested = _struct(scope, inside[here], fields, here)
            empty = inside[here]()
            arguments[name] = st.none() | nested.filter(lambda value, empty=empty: value != empty)
        elif here in fields:
            arguments[name] = fields[here]
    return st.builds(struct, **arguments)
