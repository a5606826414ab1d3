"""The golden record as an opponent: cards of persons matched and merged, measured by the truth."""
