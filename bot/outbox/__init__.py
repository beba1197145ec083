"""The outbox: what must be said to the outside, sent once each, whatever happens on the way."""
