"""From what the topics tell to what every browser is sent."""
