"""What a person does about an answer with the elements under it: asks again, chooses, pauses, pins, takes
over; and the form of who takes part in a dialogue."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from app.conversation.compression.thread import ThreadNotes
from app.conversation.modes.best_of.promotion import promoted
from app.conversation.modes.compare import decided
from app.conversation.modes.compare.options import MOST as MAX_COMPARED
from app.conversation.modes.consultation.plan import MAX_SPECIALISTS
from app.conversation.modes.council import preferred
from app.conversation.modes.council.options import MOST as MAX_MEMBERS
from app.conversation.modes.dialogue import (
    MAX_PARTICIPANTS,
    Participant,
    ParticipantsInvalid,
    continuation,
    default_participants,
    parse_participants,
    written_participants,
)
from app.conversation.modes.dialogue.participants import (
    COLUMN,
    MAX_NAME_CHARACTERS,
    MIN_PARTICIPANTS,
    SEAT,
    SPECIALIST_SEAT,
    read_in,
)
from app.conversation.turn import Turns
from app.core.events import StepKind
from app.core.notes import ToolNote
from app.core.ports import KeyValueStore, Models
from app.core.presets import Preset
from app.core.text import Text
from app.core.threads import copied
from app.core.turns import StepRecord, now
from app.core.votes import VoteStore
from app.storage.presets import Presets
from app.storage.threads import Threads
from app.view.chainlit.browser import ActionHandler, Browser
from app.view.chat import Chat
from app.view.model_labels import chat_models
from app.view.rendering import APP_NAME, Drawing, draw, element

PRESETS = "dialogue-presets"


class AnswerActions:
    """The buttons of answers and of the council's elements, by the names the elements call."""

    def __init__(
        self,
        chat: Chat,
        turns: Turns,
        threads: Threads,
        notes: ThreadNotes,
        form: "DialogueForm",
        votes: VoteStore,
    ) -> None:
        self._chat = chat
        self._turns = turns
        self._threads = threads
        self._notes = notes
        self._form = form
        self._votes = votes

    @property
    def actions(self) -> dict[str, ActionHandler]:
        """Name -> handler(browser, payload)."""
        return {
            "branch": self.branch,
            "fork": self.fork,
            "retry": self.again,
            "regenerate": self.again,
            "continue": self.complete,
            "promote": self.promote,
            "council_prefer": self.prefer,
            "council_resume": self.resume_council,
            "vote": self.vote,
            "offer": self.take_offer,
            "use_cached": self.use_cached,
            "compress_now": self.compress_now,
            "drop_oldest": self.drop_oldest,
            "pins": self.pins,
            "pin": self.pin,
            "unpin": self.unpin,
            "dialogue_pause": self.pause,
            "dialogue_resume": self.resume,
            "dialogue_say": self.say,
            "dialogue_continue": self.go_on,
            "participants": self.participants,
            "tool_permit": self.permit,
            "preset_save": self._form.save_preset,
            "preset_delete": self._form.delete_preset,
        }

    async def again(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The question is asked anew."""
        await self._chat.again(browser, str(payload["turn_id"]))

    async def branch(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Another answer, or another wording of the question, with all that followed it."""
        await self._chat.switch(browser, str(payload["step_id"]))

    async def fork(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The conversation up to an answer, in a new thread."""
        await self._chat.fork(browser, str(payload["turn_id"]))

    async def complete(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The model goes on from where its answer was cut off."""
        await self._chat.go_on(browser)

    # -- best of N --------------------------------------------------------------------------------

    async def promote(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Another candidate becomes the answer, in a turn of its own beside the one that it was of."""
        stored = await self._threads.contents(browser.thread_id, browser.user_id)
        if changed := promoted(stored.steps, str(payload["step_id"])):
            anew = {step.id: step for step in changed}
            turn_id = changed[0].turn_id
            of_turn = [s for s in stored.steps if s.turn_id == turn_id and s.kind != "question"]
            turn = copied([anew.get(step.id, step) for step in of_turn], browser.thread_id)
            await self._chat.add_turn(browser, turn)

    # -- council ----------------------------------------------------------------------------------

    async def prefer(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """A member's answer in place of the council's, or the council's own again."""
        stored = await self._threads.contents(browser.thread_id, browser.user_id)
        chosen = preferred(stored.steps, str(payload["answer_id"]), str(payload["step_id"]))
        for step in chosen:
            await self._threads.write_step(step, browser.user_id)
            await browser.show(draw(step, browser.language), new=False)

    async def resume_council(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """A council that was broken off goes on: what is complete of it is not asked for again."""
        turn_id = str(payload["turn_id"])
        stored = await self._threads.contents(browser.thread_id, browser.user_id)
        parts = tuple(step for step in stored.steps if step.turn_id == turn_id)
        await self._chat.again(browser, turn_id, parts=parts)

    async def take_offer(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The question once more, in the way that was offered under its answer; the mode stays chosen."""
        mode = payload.get("mode")
        if mode in ("council", "best_of"):
            await self._chat.again(browser, str(payload["turn_id"]), mode=mode)

    # -- compare ----------------------------------------------------------------------------------

    async def vote(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The person says which answer of a comparison is better: it goes on, the others stand beside it."""
        answer_id, choice = str(payload["step_id"]), str(payload["choice"])
        stored = await self._threads.contents(browser.thread_id, browser.user_id, through=answer_id)
        answer = next((step for step in stored.steps if step.id == answer_id), None)
        turn = next((s for s in stored.steps if answer and s.id == answer.turn_id), None)
        files = any(turn and one.step_id == turn.parent_id for one in stored.elements)
        decision = decided(stored.steps, answer_id, choice, browser.user_id, files=files)
        if decision is not None:
            await self._votes.add(decision.vote)
            await self._chat.add_turn(browser, decision.steps, decision.turn_id)

    # -- answer cache -----------------------------------------------------------------------------

    async def use_cached(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The answer to the similar question instead of this one."""
        await self._chat.again(
            browser, str(payload["turn_id"]), take_cached=str(payload["entry_id"])
        )

    # -- compression ------------------------------------------------------------------------------

    async def compress_now(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """What does not fit is compressed, and the question asked again."""
        await self._chat.panel.chosen_here(browser, {"compress_context": True})
        await browser.emit("task_start", {})  # a summary takes a while, and the buttons rest
        try:
            await self._notes.compress(browser.thread_id, browser.user_id, browser.options)
        finally:
            await browser.emit("task_end", {})
        await self._chat.again(browser, str(payload["turn_id"]))

    async def drop_oldest(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """What does not fit is left out, here and from now on, and the question asked again."""
        await self._chat.panel.chosen_here(browser, {"overflow": "drop"})
        await self._chat.again(browser, str(payload["turn_id"]))

    async def pins(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """A note was opened: it lists what is pinned now."""
        await self._draw_pinned(browser, payload)

    async def pin(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """A fact that the model is told with every question."""
        await self._threads.find(browser.thread_id, browser.user_id)  # NotFound where not theirs
        await self._notes.pin(browser.thread_id, str(payload["text"]))
        await self._draw_pinned(browser, payload)

    async def unpin(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """No longer told."""
        await self._threads.find(browser.thread_id, browser.user_id)
        await self._notes.unpin(browser.thread_id, str(payload["id"]))
        await self._draw_pinned(browser, payload)

    async def _draw_pinned(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        stored = await self._threads.contents(browser.thread_id, browser.user_id)
        facts = await self._notes.pinned(browser.thread_id)
        for step in stored.steps:
            if step.id == payload.get("step_id") and (told := step.metadata.get("compression")):
                pinned = [{"id": fact.id, "text": fact.text} for fact in facts]
                props = {
                    **told,
                    "lang": browser.language,
                    "turn_id": step.turn_id,
                    "step_id": step.id,
                    "can_pin": True,
                    "pinned": pinned,
                }
                card = element(step.id, step.thread_id, "CompressionNote", props)
                await browser.emit("element", card)

    # -- tools ------------------------------------------------------------------------------------

    async def permit(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The person lets a tool run that asked, or does not; `always` holds for this thread."""
        step_id, permission = str(payload["step_id"]), payload.get("permission")
        turn = await self._turns.find(browser.thread_id)
        if turn is None or turn.request.user_id != browser.user_id:
            return
        if permission == "always" and (step := turn.state.steps.get(step_id)):
            note = ToolNote.of(turn.state.record(step).metadata)
            before = browser.options.names("tools_always")
            if note is not None and turn.inbox.permit(step_id, "always"):
                choices = {"tools_always": ", ".join(dict.fromkeys((*before, note.id)))}
                await self._chat.panel.chosen_here(browser, choices)
        elif permission in ("once", "no"):
            turn.inbox.permit(step_id, permission)

    # -- dialogue ---------------------------------------------------------------------------------

    async def pause(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """After the present words, the models wait."""
        if turn := await self._turns.find(browser.thread_id):
            turn.inbox.pause()
            turn.state.touch()

    async def resume(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The models go on."""
        if turn := await self._turns.find(browser.thread_id):
            turn.inbox.resume()
            turn.state.touch()

    async def say(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The person puts in a word."""
        text = str(payload.get("text", "")).strip()
        if text and (turn := await self._turns.find(browser.thread_id)):
            turn.inbox.interject(text)
            turn.state.touch()

    async def go_on(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """N more turns of a dialogue that has ended."""
        count = max(1, min(20, int(payload.get("turns", 4))))
        text, options = continuation(browser.options, count, browser.language)
        await self._chat.ask(browser, text, options)

    async def participants(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Who takes part, from the form: kept with the thread and for new ones."""
        seats, given = _seats(browser, payload), payload["participants"]
        written = ""
        if given or not seats.may_be_empty:
            listed = json.dumps(given, ensure_ascii=False)
            taken = parse_participants(listed, seats.least, seats.most)
            written = written_participants(taken)
        await self._chat.panel.chosen(browser, {seats.option: written})


@dataclass(frozen=True, slots=True)
class ParticipantsOption:
    """Who may take part in a mode: the option that says it, and how many."""

    option: str
    most: int
    may_be_empty: bool = False
    """Then they are chosen by themselves."""
    least: int = MIN_PARTICIPANTS
    passing: bool = False
    """The form waits in a thread only where somebody is named in it: the mode does without."""
    called: Text = SEAT
    """Each, where nobody has named it; `{n}` is its number."""


SEATS = {
    "dialogue": ParticipantsOption("dialogue_participants", MAX_PARTICIPANTS),
    "council": ParticipantsOption("council_members", MAX_MEMBERS, may_be_empty=True),
    "consultation": ParticipantsOption(
        "consultation_members",
        MAX_SPECIALISTS,
        may_be_empty=True,
        least=1,
        passing=True,
        called=SPECIALIST_SEAT,
    ),
    "compare": ParticipantsOption("compare_models", MAX_COMPARED, may_be_empty=True, called=COLUMN),
}
"""By mode."""


def seats_of(browser: Browser) -> ParticipantsOption:
    """Those of the present mode."""
    return SEATS.get(browser.options.mode, SEATS["dialogue"])


def _seats(browser: Browser, payload: Mapping[str, Any]) -> ParticipantsOption:
    """Those of the mode that a form was drawn for: it may have changed since. Of the present one, where
    the form names none that has any."""
    return SEATS.get(str(payload.get("mode")), seats_of(browser))


class DialogueForm:
    """The form of who takes part in a dialogue or a council, and companies kept under a name."""

    def __init__(self, models: Models, values: KeyValueStore, shelf: Presets | None = None) -> None:
        """`shelf`: whose assistants may be seated."""
        self._models = models
        self._values = values
        self._shelf = shelf

    async def save_preset(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """A company under a name, to be chosen again."""
        listed = json.dumps(payload["participants"], ensure_ascii=False)
        seats = _seats(browser, payload)
        parse_participants(listed, seats.least, seats.most)
        presets = dict(await self._values.get(PRESETS, browser.user_id) or {})
        presets[str(payload["name"])[:60]] = payload["participants"]
        await self._values.put(PRESETS, browser.user_id, presets)
        await browser.show(await self.draw(browser, True), new=False)

    async def delete_preset(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The company is forgotten."""
        presets = dict(await self._values.get(PRESETS, browser.user_id) or {})
        presets.pop(str(payload["name"]), None)
        await self._values.put(PRESETS, browser.user_id, presets)
        await browser.show(await self.draw(browser, True), new=False)

    async def draw(self, browser: Browser, unfolded: bool) -> Drawing:
        """The form; one a thread, drawn again where it stands."""
        record = StepRecord(
            str(uuid5(NAMESPACE_URL, f"{browser.thread_id}/participants")),
            browser.thread_id,
            "assistant_message",
            APP_NAME,
            StepKind.NOTICE,
            ended_at=now(),
        )
        props = {**await self._company(browser), "id": record.id, "unfolded": unfolded}
        card = element(record.id, record.thread_id, "Participants", props)
        return replace(draw(record, browser.language), elements=(card,))

    async def _company(self, browser: Browser) -> dict[str, Any]:
        seats = seats_of(browser)
        presets = await self._values.get(PRESETS, browser.user_id) or {}
        models: Sequence[str] = [str(p.ref) for p in chat_models(self._models.states())]
        shelf = self._shelf
        seated = await shelf.all("assistants", browser.user_id) if shelf is not None else ()
        return {
            "lang": browser.language,
            "mode": browser.options.mode,
            "most": seats.most,
            "least": seats.least,
            "names": [
                seats.called.format(n=number)[browser.language]
                for number in range(1, seats.most + 1)
            ],
            "assistants": [_seat(one, models) for one in seated],
            "participants": json.loads(written_participants(_present(browser, seats))),
            "models": [{"value": model, "label": model} for model in models],
            "presets": [
                {
                    "name": name,
                    "participants": json.loads(read_in(json.dumps(who), browser.language)),
                }
                for name, who in presets.items()
                if seats.least <= len(who) <= seats.most
            ],
        }


def _seat(assistant: Preset, models: Sequence[str]) -> dict[str, str]:
    """Its seat; the conversation's own model speaks for one whose model is not there."""
    model = assistant.text("model")
    return {
        "name": assistant.title[:MAX_NAME_CHARACTERS],
        "model": model if model in models else "",
        "system": assistant.text("system_prompt"),
    }


def _present(browser: Browser, seats: ParticipantsOption) -> Sequence[Participant]:
    """Who takes part now; ours where nobody was set up, or by a list that cannot be read."""
    try:
        present = parse_participants(browser.options.text(seats.option), seats.least, seats.most)
    except ParticipantsInvalid:
        present = ()
    return present or (() if seats.may_be_empty else default_participants(browser.language))
