"""From what really happened to one person to a test file that holds nothing of theirs."""
