"""What an EDI message is, in any syntax. Imports nothing of ours and performs no I/O of its own."""
