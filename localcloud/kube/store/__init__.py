"""The objects that are kept: reads and watches, writes, deletion and what follows from it."""
