"""What the SCADA adapter can be told by environment."""

from pathlib import Path

from meltwatch_chassis.settings import KafkaSettings, MqttSettings, PlantSettings
from meltwatch_schemas.bounds import User
from pydantic import Field, field_validator

from meltwatch_scada_adapter.domain.sparkplug.names import check_id


class Settings(KafkaSettings, PlantSettings, MqttSettings):
    """Settings of the OPC UA server and of the Sparkplug edge node."""

    roles_file: Path | None = Field(
        default=None,
        description="YAML: who may acknowledge, shelve and so on; without it users only look.",
    )
    opcua_address: str = Field(
        default="127.0.0.1:4840",
        description="host:port for OPC UA clients; empty: no OPC UA server.",
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

    sparkplug_group: str = Field(
        default="meltwatch", description="Group id of the Sparkplug edge node."
    )
    sparkplug_edge: str = Field(default="alarms", description="Id of the Sparkplug edge node.")
    sparkplug_host: str | None = Field(
        default=None,
        description="Id of the primary host; the edge node is born only while it is online.",
    )
    sparkplug_user: User | None = Field(
        default=None,
        description="Whose name acknowledgements by DCMD get; without it they are refused.",
    )
    sparkplug_state_file: Path = Field(
        default=Path("sparkplug-bdseq"),
        description="Keeps the number of the next MQTT connection over restarts.",
    )
    sparkplug_max_alarms: int = Field(
        default=5_000,
        ge=1,
        le=100_000,
        description="Most alarms that the edge node shows; further ones are left out and logged.",
    )

    @field_validator("sparkplug_group", "sparkplug_edge", "sparkplug_host")
    @classmethod
    def _check_id(cls, text: str | None) -> str | None:
        return None if text is None else check_id(text)

    @field_validator("opcua_address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        if not address:
            return address
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= 65_535:
            raise ValueError("expected host:port")
        return address
