"""Synthetic short-axis cine CMR, written in the raw layouts of real cohorts."""
