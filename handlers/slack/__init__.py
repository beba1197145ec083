"""What Slack calls: commands, buttons, modals, events."""
