"""A thread as Markdown to read and as JSON to work with."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from app.conversation.export import as_json, as_markdown
from app.core.events import StepKind
from app.core.threads import ElementRecord, FeedbackRecord, StoredThread, ThreadRecord
from app.core.turns import StepRecord
from app.core.usage import Outcome

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def step(id, kind, name, output="", parent=None, **fields):
    return StepRecord(
        id, "t", "x", name, kind, parent_id=parent, output=output, created_at=AT, **fields
    )


THREAD = StoredThread(
    ThreadRecord("t", "u", "ann", "Борщ", AT, AT, {"chat_settings": {"mode": "consultation"}}),
    (
        step("q", "question", "ann", "Как варить?"),
        step("r", "turn", "on_message", parent="q"),
        step("think", StepKind.REASONING, "model", "Хм <b>", "r"),
        step("group", StepKind.GROUP, "Совет", "", "r"),
        step("cook", StepKind.SPECIALIST, "Повар", "Долго.", "group", input="Задача"),
        step("a", StepKind.ANSWER, "model", "Варить долго.", "r", metadata={"title": "Рецепт"}),
        step("n", StepKind.NOTICE, "Konsilium", "", "r"),
        step("q2", "question", "ann", "А ещё?", "r"),
        step("a2", StepKind.ANSWER, "model", "И", "r2", outcome=Outcome.STOPPED),
    ),
    (
        ElementRecord("e", "t", "file", "рецепт.pdf", "q", "application/pdf"),
        ElementRecord("c", "t", "custom", "Card", "a"),
    ),
    (FeedbackRecord("f", "r", 1, "вкусно"),),
)


def test_markdown_reads_like_the_conversation():
    assert as_markdown(THREAD, "ru") == (
        "# Борщ\n\n*2026-01-02 03:04 UTC — 2026-01-02 03:04 UTC*\n\n"
        "## ann\n\nКак варить?\n\nФайлы: рецепт.pdf\n\n"
        "<details>\n<summary>Размышления</summary>\n\nХм <b>\n\n</details>\n\n"
        "<details>\n<summary>Совет</summary>\n\n"
        "<details>\n<summary>Повар</summary>\n\nЗадача\n\nДолго.\n\n</details>\n\n</details>\n\n"
        "## model\n\n### Рецепт\n\nВарить долго.\n\n"
        "## ann\n\nА ещё?\n\n## model\n\nИ\n\n*Ответ не закончен.*\n"
    )


def test_markdown_of_all_branches_says_where_each_goes_off():
    said = (
        step("q", "question", "ann", "Раз?"),
        step("r", "turn", "on_message", parent="q"),
        step("a", StepKind.ANSWER, "model", "1", "r"),
        step("r2", "turn", "on_message", parent="q"),
        step("a2", StepKind.ANSWER, "model", "один", "r2"),
        step("q3", "question", "ann", "Два?", "r"),
        step("q4", "question", "ann", "Иначе?"),
    )
    written = as_markdown(replace(THREAD, steps=said, elements=()), "ru")
    lines = [line for line in written.split("\n") if line.startswith("*")][1:]
    assert lines == [
        "*Другой ответ на вопрос «Раз?»*",
        "*Другая ветвь, после вопроса «Раз?»*",
        "*Другое начало*",
    ]


def test_json_holds_everything():
    document = json.loads(as_json(THREAD))
    assert document["title"] == "Борщ"
    assert document["settings"] == {"mode": "consultation"}
    assert document["project"] is None
    assert [s["id"] for s in document["steps"]] == [s.id for s in THREAD.steps]
    assert document["steps"][4]["parent_id"] == "group"
    assert document["steps"][-1]["outcome"] == "stopped"
    assert document["files"][0]["name"] == "рецепт.pdf"
    assert document["feedback"] == [{"step_id": "r", "value": 1, "comment": "вкусно"}]
