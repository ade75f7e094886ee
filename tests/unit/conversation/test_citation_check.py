"""What words alone do not tell of a citation is asked of a model, whose proof must stand in the passage."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from app.completion.tokens import prompt_tokens
from app.conversation.citation_check import MAX_CLAIMS, MAX_TOKENS, CitationCheck
from app.conversation.export import as_markdown
from app.conversation.mode import TurnModels, WholeHistory
from app.conversation.modes import MODES
from app.conversation.sources import Sources
from app.conversation.turn import Turns
from app.core.errors import ConnectionLost, ModelNotFound
from app.core.models import ModelProfile, ModelRef
from app.core.notes import CitationsNote
from app.core.options import ChatOptions
from app.core.threads import StoredThread, ThreadRecord
from app.core.tools import Source
from app.core.turns import Question, StepRecord, TurnRequest, TurnTaken, new_id, now
from app.core.usage import Outcome, Purpose
from app.view.rendering import draw
from bench.citations import judges, struck
from tests.data.knowledge import cited
from tests.fakes import MemoryStore, ScriptedModels
from tests.waiting import until

CAT = Source(
    "Аренда.pdf",
    text="Животных держать можно с письменного согласия собственника. Плата — до 5-го числа.",
    id="d/0",
)
SAID = "Завести кошку разрешат, только если хозяин подписал бумагу [1]."
DENIED = "Животных держать можно без согласия собственника [1]."
PROOF = "Животных держать можно с письменного согласия собственника"
NAMES = [
    "Ромашка", "Василёк", "Клевер", "Фиалка", "Лютик", "Тюльпан", "Пион", "Астра",
    "Георгин", "Ирис", "Мак", "Мята", "Полынь", "Шалфей", "Чабрец", "Крокус",
    "Лаванда", "Люпин", "Нарцисс", "Петуния", "Резеда", "Сирень", "Флокс", "Хризантема",
    "Цикорий", "Черёмуха", "Шиповник", "Ясменник", "Барвинок", "Вереск",
]  # fmt: skip


def judged(*claims: tuple[str, list[str]]) -> str:
    """What a model writes of the claims that it is asked about, in their order."""
    listed = [
        {"claim": number, "words": words, "verdict": verdict}
        for number, (verdict, words) in enumerate(claims, start=1)
    ]
    return json.dumps({"claims": listed}, ensure_ascii=False)


def house(answer: Any, check: Any, *sources: Source, **fields: Any) -> tuple[Turns, ScriptedModels]:
    """`model` answers, `judge` checks; every question finds those sources."""
    models = ScriptedModels({"model": answer, "judge": check}, **fields)

    async def find(request: TurnRequest, history: Any) -> tuple[Source, ...]:
        return sources or (CAT,)

    return Turns(
        MemoryStore(), models, WholeHistory(), MODES, find=find, citations=CitationCheck("judge")
    ), models


def a_request(**options: Any) -> TurnRequest:
    chosen = {"knowledge": "base", "check_citations": True} | options
    question = Question(new_id(), "Можно ли с кошкой?")
    return TurnRequest("t", "u", question, ChatOptions.clean(chosen, "chat"), "ru")


async def noted(turns: Turns, **options: Any) -> tuple[CitationsNote, StepRecord]:
    turn = await turns.start(a_request(**options))
    settled = (await turn.wait()).settled
    assert settled is not None
    assert settled.outcome is Outcome.COMPLETED
    answer = next(step for step in settled.steps if step.kind == "answer")
    note = CitationsNote.of(answer.metadata)
    assert note is not None
    return note, answer


def purposes(models: ScriptedModels) -> list[str]:
    return [f"{ref.name}:{request.purpose}" for ref, request in models.requests]


async def test_a_claim_in_other_words_is_left_open_where_no_model_is_asked():
    turns, models = house(SAID, "never asked")
    note, answer = await noted(turns, check_citations=False)
    (mark,) = note.marks
    assert (mark.holds, mark.open, note.checker, note.check) == (False, True, "", "")
    assert purposes(models) == ["model:answer"]
    drawn = draw(answer, "ru")
    assert '[&#91;1?&#93;](#k-open-source-1 "в источнике другими словами' in str(
        drawn.step["output"]
    )
    thread = ThreadRecord("t", "u", "ann", "Кошка", now(), now())
    fields = {name: getattr(answer, name) for name in StepRecord.__dataclass_fields__}
    stored = StoredThread(thread, (StepRecord(**{**fields, "parent_id": None}),))
    assert "*(в источнике другими словами" in as_markdown(stored, "ru")


async def test_a_model_finds_that_it_holds_and_its_proof_is_kept():
    turns, models = house(SAID, judged(("supported", [PROOF])))
    note, answer = await noted(turns)
    (mark,) = note.marks
    assert (mark.holds, mark.open, mark.words) == (True, False, PROOF)
    assert (note.checker, note.check) == ("fake/judge", "done")
    assert purposes(models) == ["model:answer", "judge:check"]
    assert '#k-source-1 "«Животных держать' in str(draw(answer, "ru").step["output"])
    asked = models.requests[-1][1].messages[-1].text
    assert '<source number="1" document="Аренда.pdf">' in asked
    assert "1. [1] Завести кошку разрешат" in asked


async def test_a_model_strikes_what_the_words_let_pass_and_its_reason_is_shown():
    turns, _ = house(DENIED, judged(("contradicted", [PROOF])))
    note, answer = await noted(turns)
    (mark,) = note.marks
    assert (mark.holds, mark.open, mark.words) == (False, False, PROOF)
    assert f"~~\\[1\\]~~ *(в источнике иначе: «{PROOF}»)*" in str(draw(answer, "ru").step["output"])
    for_others = str(draw(answer, "ru", own=False).step["output"])
    assert for_others.endswith("~~\\[1\\]~~ *(в источнике не найдено)*.")


async def test_the_words_of_a_source_are_shown_as_they_are_whatever_markdown_they_look_like():
    trap = Source("x.md", text='Коту нельзя ![](http://evil/x.png) "и точка" здесь.', id="d/0")
    words = 'Коту нельзя ![](http://evil/x.png) "и точка"'
    turns, _ = house("Коту здесь можно [1].", judged(("contradicted", [words])), trap)
    _, answer = await noted(turns)
    assert "![](" not in str(draw(answer, "ru").step["output"])
    turns, _ = house("Кошке здесь жить нельзя [1].", judged(("supported", [words])), trap)
    _, answer = await noted(turns)
    assert r"\"и точка\"" in str(draw(answer, "ru").step["output"])


@pytest.mark.parametrize(
    "check",
    [
        judged(("supported", ["Кошек держать разрешено всем"])),
        judged(("supported", [])),
        judged(("supported", ["собственника"])),
        judged(("supported", ["держать можно"])),
        judged(("supported", ["Животных держать … собственника"])),
        judged(("supported", ["Плата — до 15-го числа"])),
        judged(("supported", ["Кошек держать разрешено всем"] * 5 + [PROOF])),
        judged(("contradicted", ["Кошек держать запрещено всем"])),
        judged(("contradicted", [])),
        "I cannot tell.",
        '{"claims": "all fine"}',
        ConnectionLost("gone"),
    ],
)
async def test_what_a_model_cannot_prove_is_left_to_the_words(check):
    turns, _ = house(SAID, check)
    note, answer = await noted(turns)
    (mark,) = note.marks
    assert (mark.holds, mark.open, note.check) == (False, True, "failed")
    (card,) = (one for one in draw(answer, "en").elements if one["name"] == "Sources")
    assert '"check": "failed"' in json.dumps(card)


async def test_a_long_proof_is_cut_where_it_is_shown():
    long = Source("x", text="Плата растёт, " * 60 + "а потом падает.", id="d/0")
    turns, _ = house("Плата никогда не меняется [1].", judged(("contradicted", [long.text])), long)
    note, answer = await noted(turns)
    assert note.marks[0].words == long.text
    assert len(str(draw(answer, "ru").step["output"])) < 400


async def test_what_is_sure_is_not_asked():
    said = (
        "Плата — до 5-го числа [1]. Плата вносится до 15-го числа [1]. Ничего больше [4]. "
        "«Животных держать можно с письменного согласия» [1]."
    )
    turns, models = house(said, "never asked")
    note, _ = await noted(turns)
    assert [mark.holds for mark in note.marks] == [True, False, False, True]
    assert purposes(models) == ["model:answer"]


async def test_a_tiny_model_is_not_asked_and_the_note_says_so():
    turns, models = house(SAID, "never asked", parameter_size="135M")
    note, _ = await noted(turns)
    assert note.check == "small"
    assert note.marks[0].open
    assert purposes(models) == ["model:answer"]


async def test_the_model_that_answers_is_asked_where_none_is_named():
    models = ScriptedModels({"model": judged(("supported", [PROOF]))})
    sources = Sources()
    sources.cite(CAT)
    found = sources.checked(SAID, "")
    check = CitationCheck("not/there")
    note = await check.note("t", TurnModels(models), ModelRef("fake", "model"), sources, found)
    assert (note.checker, note.marks[0].holds) == ("fake/model", True)


async def test_a_contradiction_without_proof_strikes_nothing_that_the_words_let_pass():
    turns, _ = house(DENIED, judged(("contradicted", ["согласие не требуется никому"])))
    with_check, _ = await noted(turns)
    by_words, _ = await noted(turns, check_citations=False)
    assert with_check.marks == by_words.marks
    assert with_check.check == "failed"


async def test_a_stop_ends_the_check_and_the_answer_stays_whole():
    never = asyncio.Event()
    turns, models = house(SAID, [never])
    turn = await turns.start(a_request())

    async def checking() -> bool:
        return len(models.requests) == 2

    await until(checking)
    async with asyncio.timeout(10):  # of the 90 s that the check might take
        turn.stop()
        settled = (await turn.wait()).settled
    assert not never.is_set()
    assert settled is not None
    assert settled.outcome is Outcome.COMPLETED
    answer = next(step for step in settled.steps if step.kind == "answer")
    note = CitationsNote.of(answer.metadata)
    assert note is not None
    assert (note.marks[0].open, note.check) == (True, "")
    assert [call.purpose for call in settled.calls] == [Purpose.ANSWER, Purpose.CHECK]
    assert models.open == 0


async def test_a_check_that_takes_too_long_is_given_up():
    models = ScriptedModels({"judge": [asyncio.Event()]})
    sources = Sources()
    sources.cite(CAT)
    found = sources.checked(SAID, "")
    check = CitationCheck("judge", seconds=0.05)
    note = await check.note("t", TurnModels(models), ModelRef("fake", "judge"), sources, found)
    assert note.check == "failed"
    assert models.open == 0


class GoneModels(ScriptedModels):
    """Of which nothing is known any more."""

    def profile(self, ref: ModelRef) -> ModelProfile:
        raise ModelNotFound(f"no {ref}", server=ref.server, model=ref.name)


async def test_a_model_that_is_gone_leaves_all_to_the_words_and_the_note_says_so():
    sources = Sources()
    sources.cite(CAT)
    found = sources.checked(SAID, "")
    models = GoneModels({"judge": "never asked"})
    note = await CitationCheck("judge").note(
        "t", TurnModels(models), ModelRef("fake", "judge"), sources, found
    )
    assert (note.check, note.marks) == ("failed", found.marks)


class Kept(MemoryStore):
    """Tells how the answer stands in the database; another may have taken the thread when it is whole."""

    taken = False

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:
        if self.taken and any("citations" in step.metadata for step in steps):
            raise TurnTaken("t")
        await super().checkpoint(steps)

    def answer(self) -> StepRecord | None:
        return next((step for step in self.steps.values() if step.kind == "answer"), None)


def slowly_checked(store: Kept, *, saved_every: float) -> tuple[Turns, ScriptedModels]:
    """The check takes as long as it may; `saved_every` in seconds."""
    models = ScriptedModels({"model": SAID, "judge": [asyncio.Event()]})

    async def find(request: TurnRequest, history: Any) -> tuple[Source, ...]:
        return (CAT,)

    check = CitationCheck("judge")
    turns = Turns(
        store,
        models,
        WholeHistory(),
        MODES,
        find=find,
        citations=check,
        checkpoint_seconds=saved_every,
    )
    return turns, models


async def test_while_its_citations_are_checked_the_whole_answer_is_stored():
    store = Kept()
    turns, models = slowly_checked(store, saved_every=0.01)
    turn = await turns.start(a_request())

    def stored() -> bool:
        answer = store.answer()
        return answer is not None and answer.output == SAID and "citations" in answer.metadata

    await until(lambda: len(models.requests) == 2 and stored())
    kept = store.answer()
    assert kept is not None
    assert (kept.outcome, store.settled) == (Outcome.COMPLETED, [])
    turn.stop()
    await turn.wait()


async def test_a_turn_that_is_taken_for_dead_ends_its_check():
    store = Kept()
    store.taken = True
    turns, models = slowly_checked(store, saved_every=0.01)
    turn = await turns.start(a_request())
    async with asyncio.timeout(10):  # of the 90 s that the check might take
        await turn.wait()
    assert models.open == 0
    assert store.answer() is not None


async def about(said: str, models: ScriptedModels, *found: Source) -> CitationsNote:
    """What is noted of that answer to which all these were given."""
    sources = Sources()
    for source in found:
        sources.cite(source)
    return await CitationCheck("judge").note(
        "t",
        TurnModels(models),
        ModelRef("fake", "judge"),
        sources,
        sources.checked(said, ""),
    )


async def test_the_prompt_stays_within_its_budget_and_what_does_not_fit_is_left_to_the_words():
    words = "Слово за словом говорит документ"
    pages = [
        Source(f"{n}.txt", text=f"Раздел {n}. " + f"{words} {n}. " * 40, id=f"d/{n}")
        for n in range(20)
    ]
    models = ScriptedModels({"judge": judged(*[("supported", [words])] * 20)})
    note = await about(" ".join(f"Кошке тут живётся [{n + 1}]." for n in range(20)), models, *pages)
    (_, request) = models.requests[-1]
    assert 5 < request.messages[-1].text.count("<source") < 20
    assert prompt_tokens(request.messages) < MAX_TOKENS + 1_000
    assert note.check == "partly"
    assert {mark.holds for mark in note.marks} == {True, False}


@pytest.mark.parametrize("window", [4_096, 8_192, 32_768, None])
async def test_of_many_claims_no_more_are_asked_than_a_model_may_answer(window):
    said = " ".join(f"Кошку {name} пустят, если хозяин не против [1]." for name in NAMES)
    models = ScriptedModels({"judge": judged(*[("supported", [PROOF])] * 40)}, window=window)
    note = await about(said, models, CAT)
    assert len(note.marks) == len(NAMES)
    ((_, request),) = models.requests
    most = request.sampling.max_tokens
    assert most is not None
    assert most <= 4_096
    assert prompt_tokens(request.messages) + most <= (window or MAX_TOKENS)
    assert note.check == "partly"
    held = sum(mark.holds for mark in note.marks)
    assert held == MAX_CLAIMS if window == 32_768 else 5 < held <= MAX_CLAIMS


@pytest.mark.parametrize(("window", "asked"), [(32_768, 10), (8_192, 6)])
async def test_many_claims_about_one_long_page_share_the_room(window, asked):
    page = "\n\n".join(f"Абзац {name} о погоде и урожае прошлых лет. " * 25 for name in NAMES * 3)
    said = " ".join(f"В году {name} всего уродилось вдоволь [1]." for name in NAMES[:10])
    models = ScriptedModels({"judge": judged(*[("not said", [])] * 10)}, window=window)
    note = await about(said, models, Source("page", text=page, url="http://x/"))
    ((_, request),) = models.requests
    assert prompt_tokens(request.messages) < MAX_TOKENS + 1_000
    for number, name in enumerate(NAMES[:asked], start=1):
        assert f"\n{number}. [1] В году {name}" in request.messages[-1].text
        assert f"Абзац {name} о погоде" in request.messages[-1].text
    assert note.check == ("done" if asked == 10 else "partly")
    assert [mark.holds for mark in note.marks[:asked]] == [False] * asked


async def test_of_a_long_page_the_places_nearest_to_the_claim_are_shown():
    page = "\n\n".join(f"Абзац {n} о погоде и урожае прошлых лет. " * 8 for n in range(80))
    page += "\n\nКота в доме держать разрешено, если хозяин согласен.\n\n" + page
    models = ScriptedModels({"judge": judged(("supported", ["Кота в доме держать разрешено"]))})
    sources = Sources()
    sources.cite(Source("page", text=page, url="http://x/"))
    found = sources.checked("Завести кота разрешено [1].", "")
    note = await CitationCheck("judge").note(
        "t", TurnModels(models), ModelRef("fake", "judge"), sources, found
    )
    assert note.marks[0].holds
    assert len(models.requests[0][1].messages[-1].text) < 20_000


# -- how much of a judge's accuracy arrives ----------------------------------------------------------


@pytest.mark.parametrize("name", ["hard-tuned.txt", "hard-blind.txt"])
async def test_with_a_judge_that_is_right_98_of_100_wrong_citations_are_struck_and_right_ones_not(
    name,
):
    answers = cited(name)
    models = judges(answers)
    exact = await struck(answers, models, ModelRef("fake", "never-errs"))
    assert (exact.wrong, exact.right, exact.right_open, exact.unchecked) == (1.0, 0.0, 0.0, 0.0)
    nearly = await struck(answers, models, ModelRef("fake", "errs-in-1-of-100"))
    assert nearly.wrong >= 0.98
    assert nearly.right <= 0.02
