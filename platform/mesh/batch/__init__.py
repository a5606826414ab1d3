"""Batch ports: the rows of a port as a Parquet file that says for which offsets they are true."""
