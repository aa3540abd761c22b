"""Who may do what to which alarms: what a roles file says, never what a sender says."""

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from meltwatch_schemas.alarm_command import Role
from meltwatch_schemas.bounds import User
from meltwatch_schemas.identifiers import split_alarm_id
from meltwatch_schemas.json_message import FurnaceId

EVERY_FURNACE: Final = "all"
MAX_FURNACES: Final = 10_000
_RANK: Final = {role: rank for rank, role in enumerate(Role)}
Furnaces = (
    Literal["all"] | Annotated[tuple[FurnaceId, ...], Field(min_length=1, max_length=MAX_FURNACES)]
)


class Roles(BaseModel):
    """The roles of every person who may do something."""

    users: dict[User, dict[Role, Furnaces]] = Field(
        description="By user and role: 'all', or furnace ids and levels above such."
    )

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _nobody_without_a_role(self) -> Self:
        for user, granted in self.users.items():
            if not granted:
                raise ValueError(f"expected a role for {user!r}, got none; leave the user out")
        return self

    def granted(self, user: str, alarm_id: str) -> Role:
        """Return the highest role that a person has for an alarm; who has none is a viewer."""
        equipment, _ = split_alarm_id(alarm_id)
        of_user = self.users.get(user, {})
        roles = [role for role, furnaces in of_user.items() if _covers(furnaces, equipment)]
        return max(roles, key=_RANK.__getitem__, default=Role.VIEWER)

    def allowed(self, said: Role, user: str, alarm_id: str) -> Role:
        """Return the role that counts: what was said, as far as it is granted."""
        return min(said, self.granted(user, alarm_id), key=_RANK.__getitem__)


def _covers(furnaces: Furnaces, equipment: str) -> bool:
    if isinstance(furnaces, str):
        return True
    return any(f"{equipment}/".startswith(f"{above}/") for above in furnaces)
