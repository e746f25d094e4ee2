"""Slice-region classification (paper, section 2, approach 2)."""
