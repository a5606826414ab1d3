"""Kafka and the schema registry: embedded or external, and what travels between them.

Nothing above this package knows which broker it is.
"""
