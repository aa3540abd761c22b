"""The world outside: browsers, tokens, Kafka."""
