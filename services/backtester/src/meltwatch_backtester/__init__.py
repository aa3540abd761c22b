"""Replays what a live system left behind: ``meltwatch record`` and ``meltwatch backtest``."""
