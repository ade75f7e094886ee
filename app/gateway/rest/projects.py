"""/api/projects: the folders of the sidebar. Each is its owner's alone."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from app.core.errors import NotFound
from app.core.presets import Preset
from app.gateway.errors import InvalidField
from app.gateway.rest.services import RestServices, TheCaller, TheServices
from app.gateway.rest.shapes import Project, ProjectChange, Projects, Success

router = APIRouter(prefix="/api/projects", tags=["chats"])


@router.get("")
async def projects(services: TheServices, caller: TheCaller) -> Projects:
    """Your projects, by name. Their threads: `GET /api/chats?project=<id>`."""
    every = await services.presets.all("projects", caller.user_id)
    return Projects(projects=[_shown(one) for one in every])


@router.post("", status_code=201)
async def make_project(services: TheServices, caller: TheCaller, new: ProjectChange) -> Project:
    """A new project. 400 where one of yours is called so already."""
    content = _content(services, new)
    id = await services.presets.put("projects", caller.user_id, new.name or "", content)
    return _shown(await services.presets.find(id, caller.user_id))


@router.patch("/{project_id}")
async def change_project(
    services: TheServices, caller: TheCaller, project_id: str, new: ProjectChange
) -> Project:
    """Changes what is given; it holds from the next question on, in all of its threads."""
    content, name = _content(services, new), new.name or None
    await services.presets.change("projects", caller.user_id, project_id, name, content)
    return _shown(await services.presets.find(project_id, caller.user_id))


@router.delete("/{project_id}")
async def delete_project(services: TheServices, caller: TheCaller, project_id: str) -> Success:
    """Deletes a project; its threads stay, in none."""
    if (await services.presets.find(project_id, caller.user_id)).kind != "projects":
        raise NotFound("Project not found")
    await services.presets.remove(project_id, caller.user_id)
    return Success()


def _content(services: RestServices, new: ProjectChange) -> Mapping[str, Any]:
    """What of a project is given."""
    if new.mode and all(mode.id != new.mode for mode in services.modes):
        raise InvalidField(f"There is no mode `{new.mode}`.", "mode")
    given = {
        "system_prompt": new.instructions,
        "facts": None if new.facts is None else "\n".join(" ".join(f.split()) for f in new.facts),
        "model": new.model,
        "mode": new.mode,
        "knowledge": new.knowledge,
    }
    return {id: value for id, value in given.items() if value is not None}


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
