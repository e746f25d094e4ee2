"""Cohorts without reference labels: raw images of new patients, at ED and ES or over the whole cycle, to one layout.

What the raw formats are, and what a header means, is that of `cmrslices.cohorts.convert`. The Snakefile imports this
package in every dry run. Modules that need NumPy are imported only to read a patient.
"""
