"""Slack: idempotent operations on channels and messages, and how things look there."""
