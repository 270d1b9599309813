"""Commands that answer one question each."""
