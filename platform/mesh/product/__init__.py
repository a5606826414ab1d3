"""The runtime of one product: inputs, internal storage, transformation, outbox, relay."""
