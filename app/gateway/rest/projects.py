"""/api/projects: the folders of the sidebar. Each is its owner's alone."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from app.core.errors import NotFound
from app.core.presets import Preset
from app.gateway.access import Caller
from app.gateway.errors import InvalidField
from app.gateway.rest.services import RestServices, TheCaller, TheServices
from app.gateway.rest.shapes import Done, Project, ProjectChange, Projects

router = APIRouter(prefix="/api/projects", tags=["chats"])


@router.get("")
async def projects(services: TheServices, caller: TheCaller) -> Projects:
    """Your projects, by name. Their threads: `GET /api/chats?project=<id>`."""
    every = await services.presets.all("projects", caller.user_id)
    return Projects(projects=[_shown(one) for one in every])


@router.post("", status_code=201)
async def make_project(services: TheServices, caller: TheCaller, new: ProjectChange) -> Project:
    """A new project. 400 where one of yours is called so already."""
    return await _put(services, caller, new, Preset("", "projects", caller.user_id, "", ""))


@router.patch("/{project_id}")
async def change_project(
    services: TheServices, caller: TheCaller, project_id: str, new: ProjectChange
) -> Project:
    """Changes what is given; it holds from the next question on, in all of its threads."""
    return await _put(services, caller, new, await _own(services, caller, project_id))


@router.delete("/{project_id}")
async def delete_project(services: TheServices, caller: TheCaller, project_id: str) -> Done:
    """Deletes a project; its threads stay, in none."""
    await _own(services, caller, project_id)
    await services.presets.remove(project_id, caller.user_id)
    return Done()


async def _own(services: RestServices, caller: Caller, project_id: str) -> Preset:
    found = await services.presets.find(project_id, caller.user_id)
    if found.kind != "projects":
        raise NotFound("Project not found")
    return found


async def _put(
    services: RestServices, caller: Caller, new: ProjectChange, before: Preset
) -> Project:
    if new.mode and all(mode.id != new.mode for mode in services.modes):
        raise InvalidField(f"There is no mode `{new.mode}`.", "mode")
    given = {
        "system_prompt": new.instructions,
        "facts": None if new.facts is None else "\n".join(" ".join(f.split()) for f in new.facts),
        "model": new.model,
        "mode": new.mode,
        "knowledge": new.knowledge,
    }
    changed: Mapping[str, Any] = {id: value for id, value in given.items() if value is not None}
    content = {**before.content, **changed}
    name = new.name or before.name
    id = await services.presets.put("projects", caller.user_id, name, content, before.id or None)
    return _shown(await services.presets.find(id, caller.user_id))


def _shown(project: Preset) -> Project:
    return Project(
        id=project.id,
        name=project.name,
        instructions=project.text("system_prompt"),
        facts=list(project.facts),
        model=project.text("model"),
        mode=project.text("mode"),
        knowledge=[base for base in project.text("knowledge").split(", ") if base],
    )
