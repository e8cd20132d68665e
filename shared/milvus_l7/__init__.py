"""Everything the functions share: the domain, its ports, the adapters behind them, and the wiring."""
