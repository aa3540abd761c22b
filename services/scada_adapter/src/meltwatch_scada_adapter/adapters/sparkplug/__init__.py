"""The Sparkplug B edge node on an MQTT broker."""
