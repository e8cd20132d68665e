"""How the functions are put on Google Cloud."""
