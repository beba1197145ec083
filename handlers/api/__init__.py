"""The HTTP API: incidents, timelines, health."""
