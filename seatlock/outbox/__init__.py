"""The outbox: the facts that scripts write beside what they change, and what carries them to the ledger and brokers."""
