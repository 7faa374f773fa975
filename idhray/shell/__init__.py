"""The command line as people meet it: help pages, suggestions, completion, checks."""
