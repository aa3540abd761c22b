"""How well a portrait without labels shows what nothing was taught."""
