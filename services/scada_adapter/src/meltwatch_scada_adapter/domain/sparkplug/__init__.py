"""What a Sparkplug B edge node says and hears: bytes, metrics, births and deaths; pure."""
