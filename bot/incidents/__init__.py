"""The heart of Sitrep: what an incident is and how it changes. Pure; imports the standard library only."""
