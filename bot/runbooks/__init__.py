"""Runbooks and message templates: read once at start, matched to alerts, rendered for Slack."""
