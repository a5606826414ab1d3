select account from changed_entries
