"""What changed from one version of a contract to the next, and what of it breaks readers.

The rule (docs/contracts.md): within a major version both old and new readers must read both
old and new messages (Avro FULL compatibility), and no promise may become narrower.

    [str(change) for change in diff(old, new) if change.is_breaking]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mesh.contract.field_type import FieldType
from mesh.contract.model import Contract, Field, Rule
from mesh.contract.names import listed

__all__ = ["Change", "diff", "field_changes", "needs_new_major"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference; *field* is None where it is about the whole contract.

    *why* is the rule that it breaks; a change that breaks no reader has none.
    """

    field: str | None
    what: str
    why: str = ""

    @property
    def is_breaking(self) -> bool:
        """Whether readers of before, or readers of after, cannot go on."""
        return bool(self.why)

    @property
    def words(self) -> str:
        """Field, change and rule, on one line."""
        place = f"{self.field}: " if self.field else ""
        return f"{place}{self.what}" + (f" ({self.why})" if self.why else "")

    def __str__(self) -> str:
        return f"{'breaks' if self.is_breaking else 'safe'}  {self.words}"


def diff(old: Contract, new: Contract) -> list[Change]:
    """Return every change from *old* to *new*, the breaking ones first."""
    changes = [*_port_changes(old, new), *_field_changes(old, new), *_rule_changes(old, new)]
    return sorted(changes, key=lambda change: not change.is_breaking)


def needs_new_major(old: Contract, new: Contract) -> bool:
    """Whether *new* breaks readers of *old* and does not say so by its major version."""
    return new.major <= old.major and any(one.is_breaking for one in diff(old, new))


def _port_changes(old: Contract, new: Contract) -> Iterator[Change]:
    for word, before, after in (
        ("id", old.id, new.id),
        ("topic", old.topic, new.topic),
        ("kind", old.kind, new.kind),
    ):
        if before != after:
            yield _about(None, f"{word} {before} becomes {after}", "readers find a port by it")
    for word, before, after in (
        ("number of partitions", str(old.partitions), str(new.partitions)),
        ("primary key", _key(old), _key(new)),
    ):
        if before != after:
            yield _about(None, f"{word} {before} becomes {after}", "rows of a key stay in order")
    if old.retention_ms != new.retention_ms:
        shorter = (new.retention_ms or _FOREVER) < (old.retention_ms or _FOREVER)
        words = "shorter" if shorter else "longer"
        yield _about(None, f"rows are kept {words}", _NARROWER if shorter else "")
    for word, text, other in (
        ("access", old.access, new.access),
        ("purpose", old.purpose, new.purpose),
        ("description", old.description, new.description),
    ):
        if text != other:
            yield _about(None, f"{word} changes")


_FOREVER = 1 << 62
_NARROWER = "no promise becomes narrower"
_OLD_READER = "readers of before need it"
_NEW_READER = "messages of before have none"


def _field_changes(old: Contract, new: Contract) -> Iterator[Change]:
    yield from field_changes(old.fields, new.fields)
    if old.masked_from is not None and new.masked_from is not None:
        masks = {each.name: each.masked or "nothing" for each in old.fields}
        for each in new.fields:
            now = each.masked or "nothing"
            if masks.get(each.name, now) != now:
                yield _about(each.name, f"is masked by {now}, not by {masks[each.name]}")


def field_changes(old: Sequence[Field], new: Sequence[Field]) -> Iterator[Change]:
    """Return what differs between the fields of two versions."""
    before = {field.name: field for field in old}
    after = {field.name: field for field in new}
    for name in sorted(before.keys() - after.keys()):
        is_required = before[name].is_required
        kind = "a required" if is_required else "an optional"
        yield _about(name, f"{kind} field is removed", _OLD_READER if is_required else "")
    for name in sorted(after.keys() - before.keys()):
        is_required = after[name].is_required
        kind = "a required" if is_required else "an optional"
        yield _about(name, f"{kind} field is added", _NEW_READER if is_required else "")
    for name in (name for name in before if name in after):
        yield from _changed_field(before[name], after[name])


def _changed_field(old: Field, new: Field) -> Iterator[Change]:
    name = old.name
    if old.type != new.type:
        words = f"type {_words(old.type)} becomes {_words(new.type)}"
        yield _about(name, words, "readers of before keep the old type")
    if old.is_required != new.is_required:
        words = f"becomes {'required' if new.is_required else 'optional'}"
        yield _about(name, words, _NEW_READER if new.is_required else _OLD_READER)
    if old.identifier != new.identifier:
        words = f"identifier {old.identifier or 'none'} becomes {new.identifier or 'none'}"
        yield _about(name, words, "readers join by it" if old.identifier else "")
    if old.is_personal != new.is_personal:
        words = "is personal now" if new.is_personal else "is personal no longer"
        yield _about(name, words)
    if (old.description, old.classification) != (new.description, new.classification):
        yield _about(name, "description or classification changes")


def _rule_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """Compare rules by name; one of a field that is added or removed is no news of its own."""
    common = {f.name for f in old.fields} & {f.name for f in new.fields} | {None}
    before = {rule.name: rule for rule in old.rules if rule.field in common}
    after = {rule.name: rule for rule in new.rules if rule.field in common}
    for name, rule in after.items():
        if name not in before:
            yield _about(rule.field, f"rule {name} is added", _HOLDS)
    for name, rule in before.items():
        other = after.get(name)
        if other is None:
            yield _about(rule.field, f"rule {name} is removed")
        elif rule.expression != other.expression:
            yield _changed_rule(rule, other, old, new)


def _changed_rule(rule: Rule, other: Rule, old: Contract, new: Contract) -> Change:
    before, after = _allowed(old, rule), _allowed(new, other)
    if before is not None and after is not None:
        gone = [value for value in before if value not in after]
        words = f"no longer allows {listed(gone)}" if gone else "allows more values"
        return _about(rule.field, f"rule {rule.name} {words}", _HOLDS if gone else "")
    bounds = _bound(rule), _bound(other)
    if bounds[0] is not None and bounds[1] is not None:
        upper = rule.name.rsplit(".", 1)[-1] in _UPPER
        tighter = bounds[1] < bounds[0] if upper else bounds[1] > bounds[0]
        words = "becomes tighter" if tighter else "becomes wider"
        return _about(rule.field, f"rule {rule.name} {words}", _HOLDS if tighter else "")
    return _about(rule.field, f"rule {rule.name} changes", _HOLDS)


_HOLDS = "rows of before must keep it too"
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")


def _allowed(contract: Contract, rule: Rule) -> list[object] | None:
    """Return the values of an enumeration of one of the contract's own fields."""
    if rule.name != f"{rule.field}.enum":
        return None
    schema = contract.document["schema"]
    properties = schema[0]["properties"] if isinstance(schema, list) else []
    (given,) = (one for one in properties if one["name"] == rule.field)
    return [one["value"] for one in given["enum"]]


def _bound(rule: Rule) -> float | None:
    """Return the number at the end of a bound's expression; None for every other rule."""
    if rule.name.rsplit(".", 1)[-1] not in (*_UPPER, *_LOWER):
        return None
    try:
        return float(rule.expression.rsplit(" ", 1)[-1])
    except ValueError:
        return None  # a date or an instant, or inside a list: taken as narrower


def _key(contract: Contract) -> str:
    return listed(field.name for field in contract.key_fields)


def _words(type_: FieldType) -> str:
    if type_.kind == "decimal":
        return f"decimal({type_.precision},{type_.scale})"
    if type_.kind == "list" and type_.item:
        return f"list of {_words(type_.item.type)}"
    if type_.kind == "struct":
        inner = listed(f"{part.name} {_words(part.type)}" for part in type_.parts)
        return f"struct({inner})"
    return type_.kind


def _about(field: str | None, what: str, why: str = "") -> Change:
    return Change(field=field, what=what, why=why)
