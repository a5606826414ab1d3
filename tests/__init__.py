"""The tests: `unit` (no network), `integration` (a real broker), `e2e` (whole commands)."""
