"""What Alertmanager and PagerDuty call."""
