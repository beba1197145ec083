"""Rows: incidents, timeline events, timers, deliveries, alerts and the inbox. The truth lives here."""
