"""The command line's larger sub-commands; `bot.__main__` puts them together."""
