"""What the console can be told by environment."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from meltwatch_chassis.plant import known_zone
from meltwatch_chassis.settings import KafkaSettings, PlantSettings
from pydantic import AfterValidator, Field, field_validator, model_validator

from meltwatch_console.domain.identity import groups_of
from meltwatch_console.domain.metrics_sources import metrics_sources_of


class Settings(KafkaSettings, PlantSettings):
    """Settings of the console."""

    console_address: str = Field(
        default="127.0.0.1:8080",
        description="host:port for browsers; [IPv6]:port too; port 0 takes a free one.",
    )
    console_auth: Literal["none", "proxy"] = Field(
        default="none",
        description="none: whoever reaches the page is an engineer, on loopback alone; proxy: a "
        "signed token of the plant's login.",
    )
    console_origin: str | None = Field(
        default=None,
        description="https://name of the page as browsers write it, where a proxy changes the "
        "host; commands from elsewhere are refused.",
    )
    console_jwks_file: Path | None = Field(
        default=None, description="JSON Web Key Set: the public keys that tokens are signed with."
    )
    console_issuer: str | None = Field(default=None, description="Who issues tokens: iss.")
    console_audience: str | None = Field(
        default=None, description="For whom tokens are issued: aud."
    )
    console_groups: str = Field(
        default="",
        description="Which group has which role, e.g. operators=operate,process=engineer; the "
        "roles are view, operate, engineer. Who is in none of them only looks.",
    )
    console_time_zone: Annotated[str, AfterValidator(known_zone)] | None = Field(
        default=None, description="In which times are shown; the plant file's if absent, else UTC."
    )
    console_language: Literal["en", "zh"] | None = Field(
        default=None, description="Of the page; the plant file's if absent, else en."
    )
    console_max_furnaces: int = Field(
        default=10_000, ge=1, le=100_000, description="Most furnaces that are shown."
    )

    console_ring_dir: Path | None = Field(
        default=None,
        description="Folder, one console's own, in which traces and 30 days of alarms are kept "
        "over a restart; without one Kafka gives an hour of traces and 7 days of alarms again.",
    )
    console_evidence_dir: Path | None = Field(
        default=None,
        description="Folder for pictures and traces of each raise; without one nothing is kept.",
    )
    console_evidence_most: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Most raises whose evidence is kept."
    )
    console_evidence_days: int = Field(
        default=90, ge=1, le=3_650, description="Days that it is kept; judged ones four times."
    )

    console_backtests: Path | None = Field(
        default=None,
        description="Folder of backtests that engineers may look at; nothing is written there.",
    )

    console_metrics: str = Field(
        default="",
        description="Whose /metrics the System page reads, e.g. "
        "stream_processor=10.0.0.5:8081,alarm_manager=10.0.0.6:8081.",
    )

    @field_validator("console_metrics")
    @classmethod
    def _check_metrics(cls, text: str) -> str:
        metrics_sources_of(text)
        return text

    @field_validator("console_origin")
    @classmethod
    def _check_origin(cls, origin: str | None) -> str | None:
        if origin is not None and not re.fullmatch(r"https?://[^/\s?#@]+", origin):
            raise ValueError("expected https://name without a path")
        return origin

    @field_validator("console_groups")
    @classmethod
    def _check_groups(cls, text: str) -> str:
        groups_of(text)
        return text

    @model_validator(mode="after")
    def _whole_login(self) -> Self:
        wanted = (self.console_jwks_file, self.console_issuer, self.console_audience)
        if self.console_auth == "proxy" and not all(wanted):
            raise ValueError(
                "with MELTWATCH_CONSOLE_AUTH=proxy: expected MELTWATCH_CONSOLE_JWKS_FILE, "
                "MELTWATCH_CONSOLE_ISSUER and MELTWATCH_CONSOLE_AUDIENCE"
            )
        return self
