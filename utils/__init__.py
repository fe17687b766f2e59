"""Helpers of the book: thin, and meant to be read."""
