"""What the self-test can be told by environment."""

from meltwatch_chassis.settings import KafkaSettings, RedisSettings


class Settings(KafkaSettings, RedisSettings):
    """Where the topics and the view of the alarms are."""
