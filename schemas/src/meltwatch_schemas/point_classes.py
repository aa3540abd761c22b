"""Classes of alarm points: what points share stands once; an instance says whose, and what differs.

On the wire an alarm point is whole. Classes are how people write the master alarm list.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from meltwatch_schemas.alarm_point import AlarmPoint, Setpoint
from meltwatch_schemas.default_points import OF_CLASS, built_in, derived
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.point_rules import check_point

Place = tuple[int | str, ...]
CLASSES: Final = "alarm_classes"
POINTS: Final = "alarm_points"
_SAMPLE_FURNACE: Final = "a"
_OF_INSTANCES: Final = frozenset({"alarm_id", "equipment_path", OF_CLASS})
"""What a class cannot say, because it differs from furnace to furnace."""
_SETTINGS: Final = frozenset(field.alias or name for name, field in AlarmPoint.model_fields.items())
_WHOLE: Final = frozenset(
    field.alias or name for name, field in AlarmPoint.model_fields.items() if field.is_required()
)
_THRESHOLDS: Final = frozenset(
    name for name in Setpoint.model_fields if name.endswith(("_on", "_off"))
)


@dataclass(frozen=True, slots=True)
class FileFault:
    """What is wrong in a file, and where.

    Attributes
    ----------
    place
        Keys and numbers on the way to it.
    text
        What was expected and what came, without the place.
    """

    place: Place
    text: str


@dataclass(slots=True)
class Resolver:
    """Makes whole alarm points of classes and instances, and collects what is wrong with them.

    Attributes
    ----------
    classes
        By name, those of the file over the built-in ones; of a faulty one None.
    faults
        So far.
    broken
        Where entries stand that could not be made whole.
    """

    classes: dict[str, Mapping[str, Any] | None] = field(default_factory=built_in)
    faults: list[FileFault] = field(default_factory=list)
    broken: set[Place] = field(default_factory=set)

    def take_classes(self, written: Any) -> None:
        """Take up the classes of a file, as they were read."""
        if not isinstance(written, dict):
            self.faults.append(FileFault((CLASSES,), "expected classes by name"))
            return
        for name, shared in written.items():
            place = (CLASSES, str(name))
            found = [
                FileFault((*place, *fault.place), fault.text) for fault in _of_class(name, shared)
            ]
            self.faults += found
            self.classes[name] = None if found else shared

    def make_whole(self, holder: dict[str, Any], place: Place = (), equipment: Any = None) -> None:
        """Make the alarm points of a mapping whole, in place.

        Parameters
        ----------
        holder
            A furnace or a whole file, as it was read.
        place
            Where it stands.
        equipment
            The furnace's id as it was read, or None.
        """
        entries = holder.get(POINTS)
        if isinstance(entries, list):
            holder[POINTS] = [
                self._whole(entry, (*place, POINTS, number), equipment)
                for number, entry in enumerate(entries)
            ]

    def _whole(self, entry: Any, place: Place, equipment: Any) -> Any:
        if not isinstance(entry, dict):
            return entry  # for others to refuse
        shared = self._shared(entry, place)
        if shared is None:
            self.broken.add(place)
            return None
        return derived(_over(shared, entry), equipment)

    def _shared(self, entry: Mapping[str, Any], place: Place) -> Mapping[str, Any] | None:
        name = entry.get(OF_CLASS)
        # What is whole, as it is when it was exported, needs no class: then it is but a name.
        if name is None or (isinstance(name, str) and entry.keys() >= _WHOLE):
            return {}
        if not isinstance(name, str) or name not in self.classes:
            known = ", ".join(sorted(self.classes)[:10])
            said = f"expected one of {known}, got {name!r:.80}"
            self.faults.append(FileFault((*place, OF_CLASS), said))
            return None
        return self.classes[name]


def _over(shared: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry says over what its class shares; of set-points number by number."""
    whole = {**shared, **entry}
    common, own = shared.get("setpoint"), entry.get("setpoint")
    if isinstance(common, Mapping) and isinstance(own, Mapping):
        whole["setpoint"] = {**common, **own}
        if not _THRESHOLDS.isdisjoint(own):
            # What the thresholds of the class rest on says nothing about others.
            whole |= {name: entry.get(name) for name in ("setpoint_basis", "setpoint_digest")}
    return whole


def _of_class(name: object, shared: Any) -> Iterable[FileFault]:
    """Yield what is wrong with a class: it must be a whole alarm point but for whose it is."""
    if name in built_in():
        yield FileFault((), "expected a name that is not built in")
    elif not isinstance(shared, dict):
        yield FileFault((), "expected the properties that alarm points share")
    else:
        for key in sorted(_OF_INSTANCES & shared.keys()):
            yield FileFault((key,), "expected at the alarm points, a class is for many furnaces")
        entry = {key: value for key, value in shared.items() if key not in _OF_INSTANCES}
        yield from _of_point(derived(entry, _SAMPLE_FURNACE))


def _of_point(entry: Mapping[str, Any]) -> Iterable[FileFault]:
    try:
        check_point(AlarmPoint.model_validate(dict(entry), extra="forbid"))
    except ValidationError as error:
        yield from (fault for fault in faults_of(error) if fault.place[:1] != ("alarm_id",))
    except ContractViolation as error:
        yield fault_of(error.detail)


def faults_of(error: ValidationError, place: Place = ()) -> Sequence[FileFault]:
    """Return what a model found wrong, the misspelt before the missing."""
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    return [_fault(place, dict(fault)) for fault in faults]


def _fault(place: Place, fault: Mapping[str, Any]) -> FileFault:
    message = fault["msg"].removeprefix("Value error, ")
    named = fault_of(message)
    is_shown = isinstance(fault["input"], str | float | int) and not named.place
    got = f", got {fault['input']!r:.80}" if is_shown else ""
    return FileFault((*place, *fault["loc"], *named.place), named.text + got)


def fault_of(message: str) -> FileFault:
    """Return a message that begins with the name of a setting as one about its place."""
    setting, _, rest = message.partition(": ")
    steps = setting.split(".")
    if rest and steps[0] in _SETTINGS:
        return FileFault(tuple(steps), rest)
    return FileFault((), message)
