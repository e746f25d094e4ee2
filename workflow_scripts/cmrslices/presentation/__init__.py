"""What tables, figures and pages are made with."""
