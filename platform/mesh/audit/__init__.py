"""The change audit log: one Merkle tree a topic partition, and proofs that a stranger can check."""
