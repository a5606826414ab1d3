"""Payment risk: once a day, how likely a payer leaves the next instalment of a contract unpaid."""
