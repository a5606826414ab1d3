"""Persons and households, each in a role, drawn together from four products; YAML and SQL alone."""
