"""The embedded cloud: Google's control planes emulated on one machine, everything else real."""
