"""What the console knows and decides by itself; it judges no furnace and no alarm."""
