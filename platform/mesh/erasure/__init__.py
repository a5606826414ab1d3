"""Erasing a person: whose messages, where they are, and how they go from the topics."""
