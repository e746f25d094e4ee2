"""What comes out for single patients: where their label maps look wrong, and pictures of them."""
