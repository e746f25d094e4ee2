"""What comes out for single patients: ED and ES, volumes and function of new ones, quality flags, and pictures."""
