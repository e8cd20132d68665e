"""What is shown to people: words, tables and colours."""
