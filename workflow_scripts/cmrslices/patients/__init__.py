"""New patients: ED and ES are found in what an approach segments, and their volumes and function are measured."""
