"""Fits that several processes run together: what they agree on, and what each reads."""
