"""A backtest as one HTML page: `page` makes it, `charts` its plots, the template its text."""
