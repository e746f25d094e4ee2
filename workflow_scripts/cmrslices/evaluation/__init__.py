"""Scores of every slice, and the paper's tables and figure made from them."""
