"""The measure of councils measures councils: what it says of made-up members is what theory says of them."""

import gzip
import json
import random

import pytest

from app.core.models import ModelRef
from bench import choices, judges
from bench.evidence import Known, Replay, compared, in_theory, is_right, known_in, run_on

MODELS = ("a", "b", "c")


def known_questions(count, share, seed=7):
    """Word problems that each of three models gets right with the same probability."""
    chance = random.Random(seed)
    for number in range(count):
        truth = 1000 + number
        said = {
            model: ((f"First I add.\nSo I get A: {truth if ok else truth * 7 + place}", ok),)
            for place, model in enumerate(MODELS)
            for ok in (chance.random() < share,)
        }
        yield Known(f"How much is number {number}?", str(truth), said)


async def test_members_that_err_independently_are_beaten_by_the_council_as_theory_says():
    known = list(known_questions(80, 0.6))
    replay = Replay(known, independent=True)
    replay.accuracy = dict.fromkeys(MODELS, 0.6)
    rows = {
        row.method: row for row in await compared(replay.scripted(), MODELS, known, replay=replay)
    }
    council, theory = rows["peers (3)"], in_theory(replay, known, MODELS)
    assert council.low <= theory <= council.high
    assert theory > 0.6 + 0.05
    assert council.accuracy > 0.6 + 0.03
    itself = next(row for name, row in rows.items() if "× 3" in name)
    assert itself.low <= theory <= itself.high


def test_theory_is_condorcets_where_wrong_answers_never_agree():
    """Three of 0.6: two or three right, or one right and the first of three that differ."""
    known = [
        Known("q", "1", {m: ((f"A: {n}", n == 1),) for n, m in enumerate(MODELS, 1)})
        for _ in range(1)
    ]
    replay = Replay(known, independent=True)
    replay.accuracy = dict.fromkeys(MODELS, 0.6)
    by_two = 0.6**3 + 3 * 0.6**2 * 0.4
    alone = 0.6 * 0.4**2 * 0.5  # the first is right, and the two wrong ones differ half the time
    assert in_theory(replay, known, MODELS) == pytest.approx(by_two + alone)


async def test_recorded_members_say_what_they_said():
    known = list(known_questions(40, 0.5))
    replay = Replay(known, independent=False)
    rows = await compared(replay.scripted(), MODELS, known, replay=replay)
    for row in rows[:3]:
        assert row.right == sum(one.answers[row.method][0][1] for one in known)
        assert (row.calls, row.of) == (1, 40)
    council = next(row for row in rows if row.method == "peers (3)")
    majority = sum(sum(texts[0][1] for texts in one.answers.values()) > 1 for one in known)
    assert council.right >= majority
    assert council.calls > 5


@pytest.mark.parametrize(
    ("text", "truth", "right"),
    [
        ("So 3 + 4.\nA: 1,250", "1250", True),
        ("It is 12.50", "12.5", True),
        ("It is 12, not 13", "12", False),
        ("B", "b", True),
        ("Да, конечно", "yes", True),
        ("42\n\n*Не ответили: B · qwen3*", "42", True),
        ("", "42", False),
    ],
)
def test_an_answer_is_right_by_what_it_comes_to(text, truth, right):
    assert is_right(text, truth) == right


def test_the_table_and_the_json_are_made_of_a_folder(tmp_path):
    results = tmp_path / "results"
    with gzip.open(tmp_path / "some.jsonl.gz", "wt", encoding="utf-8") as lines:
        for one in known_questions(6, 0.5):
            answers = [
                {"model": model, "text": text, "correct": ok}
                for model, texts in one.answers.items()
                for text, ok in texts
            ]
            row = {"question": one.question, "truth": one.truth, "answers": answers}
            lines.write(json.dumps(row) + "\n")
        lines.write(json.dumps({"question": "open", "answers": []}) + "\n")
    assert len(known_in(tmp_path)) == 6
    said = run_on(tmp_path, "recorded", results=results)
    assert "| peers (3) |" in said
    [path] = results.glob("council-*.json")
    assert json.loads(path.read_text())["questions"] == 6
    with pytest.raises(SystemExit):
        run_on(results, "recorded", results=results)


def test_points_are_what_a_way_of_choosing_gains_over_a_random_pick():
    said = ("Ответ — «да», и всё тут ясно. " * 12, "Ответ - да, и это все. " * 15, "Nothing here.")
    answers = [
        {"model": f"{score}", "score": score, "text": text}
        for score, text in zip((60, 30, 30), said, strict=True)
    ]
    rated = [{"question": f"Вопрос {n}?", "answers": answers} for n in range(4)]
    found = {each.way: each for each in choices.points(rated)}
    assert found["careful"].mean == found["the best of the five"].mean == 20
    assert found["careful"].questions == 4
    assert choices.table(rated).count("\n") == 1 + len(found)


async def test_judges_who_go_by_place_decide_nothing_in_two_orders(tmp_path):
    pairs = [judges.Pair(f"{n} + 1?", f"It is {n + 1}.", f"No, {n}.") for n in range(60)]
    fakes = judges.scripted(pairs)
    knows, half, placed = [
        await judges.judging(fakes, ModelRef("fake", name), pairs) for name in fakes.scripts
    ]
    assert (knows.right, knows.first) == (1, 0.5)
    assert (placed.right, placed.wrong, placed.undecided, placed.first) == (0, 0, 1, 1)
    assert half.wrong == 0
    assert half.right + half.undecided == pytest.approx(1)
    assert 0.3 < half.right < 0.7, "one order of two is by place half of the time"
    assert judges.table([half]).count("\n") == 2
    assert judges.pairs_in(tmp_path) == []
