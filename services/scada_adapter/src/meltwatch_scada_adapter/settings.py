"""What the SCADA adapter can be told by environment."""

from pathlib import Path

from meltwatch_chassis.settings import KafkaSettings, PlantSettings
from pydantic import Field, field_validator


class Settings(KafkaSettings, PlantSettings):
    """Settings of the OPC UA server."""

    roles_file: Path | None = Field(
        default=None,
        description="YAML: who may acknowledge, shelve and so on; without it users only look.",
    )
    opcua_address: str = Field(
        default="127.0.0.1:4840", description="host:port for OPC UA clients."
    )
    opcua_certificate_dir: Path = Field(
        default=Path("opcua-certificates"),
        description="server.pem, server.key (made if absent), and trusted/ with clients' "
        "certificates.",
    )
    opcua_trust_all: bool = Field(
        default=False,
        description="Let in clients whose certificate is not in trusted/; they must log in all "
        "the same.",
    )
    opcua_users_file: Path | None = Field(
        default=None, description="YAML: names and password hashes of people who may log in."
    )
    opcua_open: bool = Field(
        default=False,
        description="Also let in clients without encryption and without a name; they only look.",
    )
    opcua_max_conditions: int = Field(
        default=5_000,
        ge=1,
        le=100_000,
        description="Most alarms that are shown; further ones are refused and logged.",
    )
    opcua_order_timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="How long a method waits for the alarm manager before it answers BadTimeout.",
    )

    @field_validator("opcua_address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= 65_535:
            raise ValueError("expected host:port")
        return address
