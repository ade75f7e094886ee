"""The prompt fits the window or says so, and its estimate follows the servers' counts."""

from dataclasses import replace

import pytest

from app.completion.tokens import prompt_tokens, text_tokens
from app.conversation.compression.prompt import CompressingPromptBuilder
from app.conversation.tokens import Calibration, Scale, cut_by_server, window_of
from app.core.errors import ContextTooLong, Unsupported
from app.core.messages import ImagePart, Message
from app.core.models import Capability, ModelProfile, ModelRef
from app.core.options import ChatOptions
from app.core.turns import Attachment, HistoryMessage, Question, SettledTurn, now
from app.core.usage import CallRecord, Outcome, Purpose, Usage
from tests.dialogues import Talk, dialogue, honest, planted_facts

REF = ModelRef("ollama", "qwen2.5:7b")


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("Привет, как устроена эта программа и зачем она нужна?" * 20, 2.85),
        ("Привіт, як влаштована ця програма й навіщо вона потрібна?" * 20, 3.2),
        ("Hello, how does this program work and what is it for?" * 20, 4.2),
    ],
)
def test_the_estimate_is_an_upper_bound_that_is_not_absurd(text, measured):
    assert len(text) / measured <= text_tokens(text) <= 1.6 * len(text) / measured


def test_code_and_wide_characters_count_for_more():
    assert text_tokens("```\n" + "x = 1\n" * 100 + "```") > text_tokens("x = 1\n" * 100)
    assert text_tokens("東京" * 50) >= 100


async def test_the_estimate_follows_the_servers_counts_and_survives_a_restart(documents):
    calibration = Calibration(documents)
    assert await calibration.scale(REF) == Scale()
    for _ in range(30):
        await calibration.learn(REF, 1000, 700)
    again = await Calibration(documents).scale(REF)
    assert again.tokens(1000) == pytest.approx(700, rel=0.02)
    assert (await Calibration(documents).scale(ModelRef("x", "y"))).tokens(1000) == 1000


@pytest.fixture
def documents():
    class Documents:
        def __init__(self):
            self.kept = {}

        async def get(self, scope, key):
            return self.kept.get((scope, key))

        async def put(self, scope, key, value):
            self.kept[scope, key] = value

        async def delete(self, scope, key):
            self.kept.pop((scope, key), None)

        async def items(self, scope):
            return {key: value for (of, key), value in self.kept.items() if of == scope}

        async def among(self, scope, keys):
            return frozenset(key for key in keys if (scope, key) in self.kept)

    return Documents()


def profile(**fields):
    return ModelProfile(REF, **fields)


def options(**values):
    return ChatOptions.clean(values, "chat")


def test_the_window_is_what_the_server_says_then_the_person_then_the_family():
    assert window_of(profile(window=16384), options()) == 16384
    assert window_of(profile(window=16384), options(window=8000)) == 8000
    assert window_of(profile(window=16384), options(window=99_000)) == 16384
    assert window_of(profile(), options(window=99_000)) == 99_000
    assert window_of(profile(), options()) == 32_768
    assert window_of(ModelProfile(ModelRef("x", "unheard-of")), options()) is None


def test_the_window_is_made_wider_by_doubling_where_the_conversation_needs_it_and_the_machine_can():
    ollama = profile(window=4096, widest=20_000, longest=131_072)
    assert window_of(ollama, options(), needs=4096) == 4096
    assert window_of(ollama, options(), needs=4097) == 8192
    assert window_of(ollama, options(), needs=17_000) == 20_000
    assert window_of(ollama, options(), needs=99_000) == 20_000
    assert window_of(ollama, options(window=99_000)) == 99_000, "whoever says so may have more"
    assert window_of(ollama, options(window=999_000)) == 131_072
    assert window_of(ollama, options(window=2048), needs=9000) == 2048
    assert window_of(profile(window=4096), options(), needs=9000) == 4096


@pytest.mark.parametrize(
    ("counted", "cut"), [(4096, True), (2050, True), (2048, True), (2040, False), (1700, False)]
)
def test_what_is_left_of_a_cut_prompt_fills_the_window_or_half_of_it(counted, cut):
    assert cut_by_server(counted, 1579, window=4096, bound=2114) is cut


def test_a_count_far_under_the_estimate_means_the_server_cut_the_prompt():
    assert cut_by_server(4096, 9000)
    assert not cut_by_server(8000, 9000)
    assert not cut_by_server(100, 300)
    assert not cut_by_server(None, 9000)


async def test_what_cannot_fit_is_a_choice_with_its_figures():
    talk = Talk(window=2048, compress_context=False)
    for question, answer in dialogue(6, []):
        await talk.turn(question, answer)
    with pytest.raises(ContextTooLong) as raised:
        await talk.turn("x" * 9000, "")
    assert raised.value.window == 2048
    assert (raised.value.prompt_tokens or 0) > 2048


async def test_the_oldest_are_left_out_where_the_person_allowed_it():
    talk = Talk(window=2048, compress_context=False, overflow="drop")
    for question, answer in dialogue(14, []):
        prompt = await talk.turn(question, answer)
    assert (prompt.compression.dropped or 1) % 2 == 0
    assert (prompt.compression.dropped or 0) >= 10
    assert prompt.messages[0].role == "user"
    assert (prompt.likely or 0) <= 2048


async def test_a_question_that_is_itself_too_long_is_refused_even_then():
    talk = Talk(window=2048, overflow="drop")
    with pytest.raises(ContextTooLong):
        await talk.turn("x" * 20_000, "")


async def test_compression_keeps_a_long_conversation_within_a_small_window():
    facts = planted_facts()
    talk = Talk(honest(facts), window=4096)
    for question, answer in dialogue(60, facts):
        prompt = await talk.turn(question, answer)
        assert (prompt.tokens or 0) <= 4096
    assert prompt.compression.dropped is None


async def test_a_turn_teaches_the_scale_unless_its_prompt_was_cut(documents):
    talk = Talk()
    calibration = Calibration(documents)
    prompts = CompressingPromptBuilder(talk.threads, calibration)
    request = talk.request("Hello there. " * 600)
    model = ModelRef("fake", "model")
    for counted, expected in ((100, 0), (1000, 0), (1900, 1)):
        prompt = await prompts.build(request, (), talk.models.profile(model))
        call = CallRecord(
            "c",
            Purpose.ANSWER,
            model,
            now(),
            Outcome.COMPLETED,
            Usage(input_tokens=counted),
        )
        await prompts.after_turn(
            SettledTurn(request, Outcome.COMPLETED, (), (call,), prompt=prompt)
        )
        assert (await calibration.scale(model)).samples == expected
    assert prompt.tokens == prompt_tokens([Message.user("Hello there. " * 600)])


async def test_an_image_that_takes_fewer_tokens_than_allowed_for_is_no_cut():
    talk = Talk()
    image = ImagePart(b"png", "image/png")
    question = Question("q", "What is this?", (Attachment("e", "a.png", "image/png", None, image),))
    prompt = await talk.build(replace(talk.request(""), question=question))
    assert (prompt.tokens or 0) > 768
    assert not cut_by_server(80, prompt.likely)


async def test_a_model_that_sees_no_pictures_is_told_of_earlier_ones_and_shown_none():
    talk, model = Talk(), ModelRef("fake", "model")
    prompts = CompressingPromptBuilder(talk.threads, Calibration())
    image = Attachment("e", "a.png", "image/png", None, ImagePart(b"png", "image/png"))
    earlier = HistoryMessage("q", "user", "What is this?", attachments=(image,))
    blind, sees = ModelProfile(model), ModelProfile(model, frozenset({Capability.VISION}))
    request = talk.request("And now?")
    told = await prompts.build(request, (earlier,), blind)
    assert [message.images for message in told.messages] == [(), ()]
    assert "does not see" in told.messages[0].text
    shown = await prompts.build(request, (earlier,), sees)
    assert len(shown.messages[0].images) == 1


async def test_a_vocabulary_without_ones_letters_is_learned_too():
    calibration, model = Calibration(), ModelRef("embedded", "smollm2")
    await calibration.learn(model, 12_526, 25_251)
    assert (await calibration.scale(model)).tokens(12_526) >= 25_251


RUSSIAN = "Однажды утром мы пошли в лес за грибами. " * 100
ENGLISH = "One morning we went to look for mushrooms. " * 100


async def test_what_one_script_takes_says_nothing_of_the_other(documents):
    calibration = Calibration(documents)
    for _ in range(20):
        await calibration.learn(REF, 1000, 800, 0.0)
    assert (await calibration.scale(REF, [RUSSIAN])).factor == pytest.approx(1, abs=0.1)
    await calibration.learn(REF, 1000, 2000, 1.0)
    again = Calibration(documents)
    assert (await again.scale(REF, [RUSSIAN])).factor == pytest.approx(2, abs=0.1)
    assert (await again.scale(REF, [ENGLISH])).factor == pytest.approx(0.8, abs=0.05)
    assert 1 < (await again.scale(REF, [RUSSIAN, ENGLISH])).factor < 1.9


async def test_what_was_kept_before_scripts_were_told_apart_holds_for_both(documents):
    await documents.put(Calibration.SCOPE, str(REF), {"factor": 0.7, "samples": 12})
    calibration = Calibration(documents)
    assert (await calibration.scale(REF, [RUSSIAN])).factor == pytest.approx(0.7)
    assert (await calibration.scale(REF, [ENGLISH])).samples == 12


async def test_a_server_is_asked_to_count_before_a_long_prompt_in_an_unseen_script_only():
    asked = []

    async def count(model, text):
        asked.append(text[:3])
        return 2 * text_tokens(text)

    calibration = Calibration(count=count)
    assert (await calibration.measured(REF, ["Коротко"])).factor == 1
    assert (await calibration.measured(REF, [RUSSIAN])).factor == pytest.approx(2, abs=0.05)
    assert (await calibration.measured(REF, [RUSSIAN])).factor == pytest.approx(2, abs=0.05)
    await calibration.measured(REF, [ENGLISH])
    assert asked == ["Одн", "One"]


async def test_a_server_that_cannot_count_is_asked_once_and_the_estimate_stands():
    asked = 0

    async def count(model, text):
        nonlocal asked
        asked += 1
        raise Unsupported("404 page not found")

    calibration = Calibration(count=count)
    for _ in range(3):
        assert (await calibration.measured(REF, [RUSSIAN])).factor == 1
    assert asked == 1
