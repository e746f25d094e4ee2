"""What tables, figures and pages are drawn with, here and in the report."""
