"""Finds products by words in their names, texts, fields, identifiers and owners, best first.

    found = search(make_index(shelf), "phone numbr")
    found.results[0].reasons[0].kind  # 'field'

A word may be spelt wrongly or be a part of one. Not here: where words come from (`index`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from catalog.pages.index import WORD, Index, Place, fold, words_of

__all__ = ["Found", "Reason", "Result", "search"]

LONGEST_QUESTION = 200
MOST_WORDS = 6
MOST_FORMS = 40
MOST_REASONS = 4
SHORTEST_FUZZY, LIKENESS = 4, 80.0
SHORTEST_INSIDE = 3
EXACT, BEGINS, INSIDE, ALIKE = 1.0, 0.85, 0.6, 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a product was found: a text of it in pieces, each with whether it matched."""

    kind: str
    label: str
    anchor: str
    pieces: Sequence[tuple[str, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A product that was found."""

    product: str
    score: float
    count_words: int
    reasons: Sequence[Reason]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best results, of how many; *is_partial* where none has every word."""

    results: Sequence[Result]
    count: int
    is_partial: bool


def search(index: Index, question: str, limit: int = 50) -> Found:
    """The products that have all words of *question*, or else most of them."""
    words = list(dict.fromkeys(words_of(question[:LONGEST_QUESTION])))[:MOST_WORDS]
    scores: dict[int, dict[str, tuple[float, int, str]]] = {}
    for word in words:
        for product, hit in best_of(index, word).items():
            scores.setdefault(product, {})[word] = hit
    most = max((len(hits) for hits in scores.values()), default=0)
    ranked = sorted(
        (-sum(hit[0] for hit in hits.values()), index.products[product], product)
        for product, hits in scores.items()
        if len(hits) == most
    )
    results = [result_of(index, product, scores[product]) for _, _, product in ranked[:limit]]
    return Found(results=results, count=len(ranked), is_partial=0 < most < len(words))


def best_of(index: Index, word: str) -> dict[int, tuple[float, int, str]]:
    """The best hit of *word* in each product: its score, its place, the word as it stands there."""
    found: dict[int, tuple[float, int, str]] = {}
    for form, likeness in forms_of(index, word):
        for product, (weight, place) in index.postings[form].items():
            score = likeness * weight
            if product not in found or found[product][0] < score:
                found[product] = (score, place, form)
    # What few products have says more than what all have.
    rarity = 1.0 + math.log((len(index.products) + 1) / max(len(found), 1))
    return {key: (score * rarity, place, form) for key, (score, place, form) in found.items()}


def forms_of(index: Index, word: str) -> list[tuple[str, float]]:
    """The words of the index that *word* may mean, with how well each fits."""
    found: dict[str, float] = {}
    if len(word) >= SHORTEST_FUZZY:
        close = process.extract(
            word, index.vocabulary, scorer=fuzz.ratio, score_cutoff=LIKENESS, limit=MOST_FORMS
        )
        found = {form: ALIKE * likeness / 100 for form, likeness, _ in close}
    for form in index.vocabulary:
        if word in form:
            part = 0.1 * len(word) / len(form)
            if form.startswith(word):
                found[form] = BEGINS + part
            elif len(word) >= SHORTEST_INSIDE:
                found[form] = INSIDE + part
    if word in index.postings:
        found[word] = EXACT
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))[:MOST_FORMS]


def result_of(index: Index, product: int, hits: dict[str, tuple[float, int, str]]) -> Result:
    """A result with its reasons, the weightiest first, each place once."""
    forms = {form for _, _, form in hits.values()}
    ordered = sorted(hits.values(), key=lambda each: -each[0])
    places = list(dict.fromkeys(place for _, place, _ in ordered))[:MOST_REASONS]
    return Result(
        product=index.products[product],
        score=round(sum(each[0] for each in ordered), 3),
        count_words=len(hits),
        reasons=[reason_of(index.places[place], forms) for place in places],
    )


def reason_of(place: Place, forms: set[str]) -> Reason:
    """*place* with the words that matched marked."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for match in WORD.finditer(place.text):
        if fold(match[0]) in forms:
            if match.start() > end:
                pieces.append((place.text[end : match.start()], False))
            pieces.append((match[0], True))
            end = match.end()
    if end < len(place.text):
        pieces.append((place.text[end:], False))
    return Reason(kind=place.kind, label=place.label, anchor=place.anchor, pieces=pieces)
