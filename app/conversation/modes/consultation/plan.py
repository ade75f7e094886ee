"""The coordinator's plan: whether specialists are needed, and which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from app.conversation.modes.consultation.requested_roles import is_asked_for
from app.conversation.structured import Structure
from app.core.requests import JsonSchema

MAX_SPECIALISTS = 4
ALIKE_ROLES = 88.0
"""Similarity (0 to 100) from which two roles are one: "экономист" and "Экономист-аналитик" are,
"physicist" and "physician" (78) are not."""
ALIKE_QUESTIONS = 92.0
SAME_ROLE = 80.0
"""Similarity of a planned role with one that was asked for, from which it is that one."""
MAX_ROLE_CHARACTERS = 60
MAX_QUESTION_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Specialist:
    """Whom to ask and what."""

    role: str
    question: str = ""
    model: str = ""
    """`server/model` as the plan names it; empty leaves it to the settings."""
    system: str = ""
    """Instructions of one whom the person seated."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the coordinator decided."""

    need: bool
    reason: str = ""
    specialists: tuple[Specialist, ...] = ()
    left_out: tuple[str, ...] = ()
    """Roles that were asked for beyond the most that can be called."""


def plan_shape(most: int, with_models: bool) -> Structure[Plan]:
    """The shape of a plan of up to `most` specialists; `with_models` lets it name their models."""
    fields = ["role", "question", *(["model"] if with_models else [])]
    specialist = {
        "type": "object",
        "properties": {field: {"type": "string"} for field in fields},
        "required": fields,
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {
            "need": {"type": "boolean"},
            "reason": {"type": "string"},
            "specialists": {"type": "array", "items": specialist, "maxItems": most},
        },
        "required": ["need", "reason", "specialists"],
        "additionalProperties": False,
    }
    example = ", ".join(f'"{field}": "…"' for field in fields)
    return Structure(
        JsonSchema("council", schema),
        f'{{"need": true, "reason": "…", "specialists": [{{{example}}}]}}',
        lambda value: read_plan(value, most),
    )


def read_plan(value: Mapping[str, Any], most: int = MAX_SPECIALISTS) -> Plan:
    """A plan from what the model wrote. Raises ValueError where it cannot be one."""
    need = value.get("need")
    if isinstance(need, str):
        need = {"true": True, "false": False}.get(need.strip().lower())
    if not isinstance(need, bool):
        raise ValueError('"need" is not true or false')
    reason = _text(value.get("reason"))
    if not need:
        return Plan(False, reason)
    listed = value.get("specialists")
    named = [_specialist(item) for item in listed] if isinstance(listed, list) else []
    specialists = unlike([one for one in named if one is not None])[:most]
    if not specialists:
        raise ValueError('"specialists" names nobody')
    return Plan(True, reason, specialists)


def as_requested(plan: Plan | None, roles: Sequence[str], text: str = "") -> Plan:
    """The plan with exactly the roles that the person asked for in `text`: what it has for one of them is
    kept, who is missing is added, strangers are struck. None is the plan that the wish itself makes."""
    planned = list(plan.specialists) if plan else []
    called: list[Specialist] = []
    for role in roles[:MAX_SPECIALISTS]:
        named = Specialist(role[0].upper() + role[1:])
        match = max(planned, key=lambda one: _likeness(one.role, role), default=None)
        if match is not None and _likeness(match.role, role) >= SAME_ROLE:
            planned.remove(match)
            named = match
        called.append(named)
    called += [one for one in planned if is_asked_for(one.role, text)]
    left_out = (*roles[MAX_SPECIALISTS:], *(one.role for one in called[MAX_SPECIALISTS:]))
    called = called[:MAX_SPECIALISTS]
    return Plan(True, plan.reason if plan else "", tuple(called), left_out)


def _likeness(planned: str, role: str) -> float:
    """0 to 100: of the role with the likest word of what was planned, or the whole of it."""
    words = [planned, *planned.replace("-", " ").split()]
    return max(fuzz.ratio(word, role, processor=default_process) for word in words)


def unlike(specialists: list[Specialist]) -> tuple[Specialist, ...]:
    """Without those whose role or question nearly repeats an earlier one's."""
    kept: list[Specialist] = []
    for one in specialists:
        if not any(_alike(one, other) for other in kept):
            kept.append(one)
    return tuple(kept)


def _alike(one: Specialist, other: Specialist) -> bool:
    roles = fuzz.token_set_ratio(one.role, other.role, processor=default_process)
    if roles >= ALIKE_ROLES:
        return True
    questions = fuzz.ratio(one.question, other.question, processor=default_process)
    return bool(one.question) and questions >= ALIKE_QUESTIONS


def _specialist(item: object) -> Specialist | None:
    if isinstance(item, str):
        item = {"role": item}
    role = _text(item.get("role"))[:MAX_ROLE_CHARACTERS] if isinstance(item, Mapping) else ""
    if not isinstance(item, Mapping) or not any(map(str.isalpha, role)):
        return None  # also the "…" of the example, from a model that repeats it
    one = Specialist(role[0].upper() + role[1:])
    question, model = (
        _text(item.get("question"))[:MAX_QUESTION_CHARACTERS],
        _text(item.get("model")),
    )
    return replace(one, question=question, model=model)


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
