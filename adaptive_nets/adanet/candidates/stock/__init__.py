"""Candidates that come with the search: what all generators build on, and the default one."""
