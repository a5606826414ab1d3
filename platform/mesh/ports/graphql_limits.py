"""What a document in GraphQL may not exceed: tokens, depth, aliases.

Strawberry's own limits on depth and aliases follow each spread of a fragment anew, so that thirty
fragments which spread each other twice keep them busy for ever; here each is looked at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    ASTValidationRule,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
)
from graphql.validation import ASTValidationContext
from strawberry.extensions import AddValidationRules, MaxTokensLimiter

__all__ = ["LIMITS", "MOST_ALIASES", "MOST_DEPTH", "MOST_TOKENS"]

MOST_TOKENS = 1000
# Introspection by the usual tools is 15 deep.
MOST_DEPTH = 20
MOST_ALIASES = 10

# How deep a selection goes, and how many aliases are in it.
Size = tuple[int, int]


class Limit(ASTValidationRule):
    """Depth and aliases of each operation, what its fragments have included."""

    def __init__(self, context: ASTValidationContext) -> None:
        super().__init__(context)
        definitions = context.document.definitions
        fragments = {
            each.name.value: each
            for each in definitions
            if isinstance(each, FragmentDefinitionNode)
        }
        known: dict[str, Size] = {}
        for each in definitions:
            if isinstance(each, OperationDefinitionNode):
                depth, aliases = size_of(each, fragments, known)
                if depth > MOST_DEPTH:
                    text = f"the question is {depth} deep: {MOST_DEPTH} at most"
                    self.report_error(GraphQLError(text))
                if aliases > MOST_ALIASES:
                    text = f"the question has {aliases} aliases: {MOST_ALIASES} at most"
                    self.report_error(GraphQLError(text))


def size_of(
    node: Any, fragments: Mapping[str, FragmentDefinitionNode], known: dict[str, Size]
) -> Size:
    """The size of what is selected at *node*; none of a fragment that is absent, or in itself."""
    depth = aliases = 0
    chosen = getattr(node, "selection_set", None)
    for each in chosen.selections if chosen is not None else ():
        if isinstance(each, FragmentSpreadNode):
            name = each.name.value
            if name not in known:
                known[name] = (0, 0)
                known[name] = size_of(fragments.get(name), fragments, known)
            found = known[name]
        else:
            inner = size_of(each, fragments, known)
            is_field = isinstance(each, FieldNode)
            found = (inner[0] + is_field, inner[1] + (is_field and each.alias is not None))
        depth, aliases = max(depth, found[0]), aliases + found[1]
    return depth, aliases


LIMITS = (
    lambda: MaxTokensLimiter(MOST_TOKENS),
    lambda: AddValidationRules([Limit]),
)
