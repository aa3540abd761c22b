"""Every ``MELTWATCH_*`` variable of the product, so that a misspelt one is an error everywhere.

A service knows its own settings alone; this list is what all of them accept in silence. A test
holds it equal to the union of the services' settings.
"""

from typing import Final

KNOWN_VARIABLES: Final = frozenset(
    {
        "MELTWATCH_HEALTH_ADDRESS",
        "MELTWATCH_KAFKA",
        "MELTWATCH_KAFKA_CA_FILE",
        "MELTWATCH_KAFKA_CERTIFICATE_FILE",
        "MELTWATCH_KAFKA_PASSWORD",
        "MELTWATCH_KAFKA_PRIVATE_KEY_FILE",
        "MELTWATCH_KAFKA_SASL_MECHANISM",
        "MELTWATCH_KAFKA_SECURITY_PROTOCOL",
        "MELTWATCH_KAFKA_USERNAME",
        "MELTWATCH_LOG_FORMAT",
        "MELTWATCH_LOG_LEVEL",
        "MELTWATCH_PLANT_FILE",
        "MELTWATCH_REDIS",
        "MELTWATCH_REDIS_CA_FILE",
        "MELTWATCH_REDIS_PASSWORD",
        "MELTWATCH_REDIS_USERNAME",
        "MELTWATCH_SIMULATOR_DURATION_S",
        "MELTWATCH_SIMULATOR_FURNACES",
        "MELTWATCH_SIMULATOR_ORIGIN_NS",
        "MELTWATCH_SIMULATOR_SEED",
        "MELTWATCH_SIMULATOR_SPEED",
        "MELTWATCH_STATE_DIR",
        "MELTWATCH_TOPIC_PREFIX",
        "MELTWATCH_TRITON",
        "MELTWATCH_TRITON_CA_FILE",
        "MELTWATCH_TRITON_TLS",
    }
)
