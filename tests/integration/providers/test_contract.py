"""What streams must survive: one suite, run for every adapter, over real sockets.

Each ends in the complete text or in an error that says so; never a silent cut, never a hang.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from app.core.errors import (
    BadRequest,
    ConnectionLost,
    ContextTooLong,
    FirstTokenTimeout,
    IncompleteAnswer,
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    QuotaExceeded,
    RateLimited,
    ServerBusy,
    ServerFault,
    ServerUnavailable,
    SilenceTimeout,
    WrongKey,
)
from app.core.events import Finished, ReasoningDelta, TextDelta, TextWasThinking, ToolCallDelta
from app.core.messages import ImagePart, Message
from app.core.ports import ModelServer
from app.core.providers import PRESETS, any_server
from app.core.requests import JsonSchema, ModelRequest, Sampling
from app.providers.deadline import Timeouts
from app.providers.embedded.llama import Llama
from app.providers.embedded.server import EmbeddedServer
from app.providers.ollama import OllamaServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.gguf_model import make_gguf
from tests.simulators import GigaChatSimulator, OllamaSimulator, OpenAISimulator
from tests.simulators.base import Simulator
from tests.simulators.gigachat import KEY
from tests.simulators.script import EXOTIC, TAGS, THOUGHT_FIELDS, THOUGHTS, Cycle
from tests.waiting import until

PATIENT = Timeouts(connect=5.0, first_token=30.0, silence=30.0, listing=5.0, ending=1.0)
"""For what must arrive, on a machine however busy."""
QUICK = Timeouts(connect=5.0, first_token=0.4, silence=0.3, listing=5.0, ending=0.3)
"""For what never arrives."""
QUESTION = "Як справи, 👩‍👩‍👧‍👦? е́ 🇺🇦 край"


@dataclass
class Pair:
    """A simulated server and the adapter that talks to it."""

    simulator: Simulator
    server: ModelServer
    impatient: ModelServer
    """The same server with QUICK timeouts."""
    learns: bool = field(default=True, kw_only=True)
    """It remembers which models think without an opening tag."""
    sees: bool = field(default=True, kw_only=True)
    """It takes pictures with a question."""

    async def ask(
        self, model: str, request: ModelRequest | None = None, *, impatiently: bool = False
    ) -> "Answer":
        server = self.impatient if impatiently else self.server
        self.simulator.set_models([*self.simulator.models, model])
        answer = Answer()
        request = request or ModelRequest((Message.user(QUESTION),))
        try:
            async with contextlib.aclosing(server.model(model).stream(request)) as events:
                async for event in events:
                    answer.take(event)
        except KonsiliumError as error:
            answer.error = error
        return answer


class Answer:
    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.thinking = ""
        self.taken_back = 0
        self.calls: dict[int, list[str]] = {}
        self.end: Finished | None = None
        self.error: KonsiliumError | None = None

    def take(self, event: object) -> None:
        assert self.end is None, "nothing follows Finished"
        match event:
            case TextDelta(text):
                self.pieces.append(text)
            case ReasoningDelta(text):
                self.thinking += text
            case TextWasThinking():
                self.thinking += self.text
                self.pieces.clear()
                self.taken_back += 1
            case ToolCallDelta(index, _, name, arguments):
                call = self.calls.setdefault(index, ["", ""])
                call[0] += name or ""
                call[1] += arguments
            case Finished():
                self.end = event

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def whole(self) -> str:
        assert self.error is None, repr(self.error)
        assert self.end is not None
        return self.text


class SimulatedFile:
    """The embedded model's file: the tiny one of the tests, by the name of the model last offered."""

    name = "sim"
    last_resort = False
    instruction = None

    def __init__(self, simulator: Simulator, folder: Path, tiny: Path) -> None:
        self._simulator, self._folder, self._tiny = simulator, folder, tiny

    def path(self) -> Path:
        file = self._folder / f"{next(reversed(self._simulator.models))}.gguf"
        if not file.exists():
            file.symlink_to(self._tiny)
        return file


def embedded(file: SimulatedFile, simulator: OpenAISimulator, timeouts: Timeouts) -> EmbeddedServer:
    """The server inside the app, whose process is a sleeper and whose words are the simulator's."""

    @contextlib.asynccontextmanager
    async def begin() -> AsyncIterator[Llama]:
        process = await asyncio.create_subprocess_exec("sleep", "120")
        try:
            yield Llama(simulator.url, "", process)
        finally:
            process.kill()
            await process.wait()

    def connect(url: str, key: str) -> OpenAICompatibleServer:
        return OpenAICompatibleServer(any_server("sim", url), key, timeouts=timeouts)

    return EmbeddedServer(file, connect, timeouts=PATIENT, begin=begin)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gguf(tmp_path_factory.mktemp("contract") / "tiny.gguf")


@pytest.fixture(params=["ollama", "openai", "embedded", "gigachat"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path, tiny: Path) -> AsyncIterator[Pair]:
    servers: list[ModelServer]
    if request.param == "ollama":
        async with OllamaSimulator([]) as simulator:
            servers = [OllamaServer("sim", simulator.url, timeouts=t) for t in (PATIENT, QUICK)]
            yield Pair(simulator, *servers, learns=False)
    elif request.param == "embedded":
        async with OpenAISimulator([]) as inside:
            file = SimulatedFile(inside, tmp_path, tiny)
            servers = [embedded(file, inside, timeouts) for timeouts in (PATIENT, QUICK)]
            yield Pair(inside, *servers)
    elif request.param == "gigachat":
        async with GigaChatSimulator([]) as sber:
            facts = {"base_url": sber.base_url, "token_url": sber.token_url, "scope": "PERS"}
            preset = replace(PRESETS["gigachat"], name="sim", **facts)
            servers = [OpenAICompatibleServer(preset, KEY, timeouts=t) for t in (PATIENT, QUICK)]
            yield Pair(sber, *servers, sees=False)
    else:
        async with OpenAISimulator([]) as clouds:
            preset = any_server("sim", clouds.base_url)
            servers = [OpenAICompatibleServer(preset, timeouts=t) for t in (PATIENT, QUICK)]
            yield Pair(clouds, *servers)
    for server in servers:
        await server.aclose()


@pytest.mark.parametrize(
    "form", ["", "+utf8-split", "+split-2", "+split-3", "+split-7", "+glued", "+crlf", "+comments"]
)
async def test_text_is_whole_however_its_bytes_are_cut(pair: Pair, form: str) -> None:
    assert (await pair.ask(f"echo{form}")).whole == QUESTION


@pytest.mark.parametrize(
    "form",
    [
        "+called-json",
        "+called-html",
        "+called-events",
        "+as-other",
        "+as-other+split-3",
        "+as-other+glued",
        "+as-other+called-events",
        "+unstreamed",
        "+unstreamed+called-events",
        "+empty-data",
        "+empty-data+split-3",
        "+halves",
        "+halves+split-1",
    ],
)
async def test_text_is_whole_whatever_form_the_server_puts_it_in(pair: Pair, form: str) -> None:
    answer = await pair.ask(f"echo{form}")
    assert answer.whole == QUESTION
    assert answer.end is not None
    assert (answer.end.usage.output_tokens or 0) > 0


@pytest.mark.parametrize("form", ["", "+split-1", "+glued", "+crlf+comments+split-5"])
async def test_line_separators_and_nul_inside_content_are_content(pair: Pair, form: str) -> None:
    assert (await pair.ask(f"exotic{form}")).whole == EXOTIC


async def test_an_answer_of_five_megabytes_is_whole(pair: Pair) -> None:
    assert len((await pair.ask("chars-5000000")).whole) == 5_000_000


async def test_an_answer_of_five_megabytes_in_one_piece_is_whole(pair: Pair) -> None:
    assert len((await pair.ask("chars-5000000+glued")).whole) == 5_000_000


async def test_an_answer_of_one_token_is_one_delta(pair: Pair) -> None:
    answer = await pair.ask("say-Yes")
    assert (answer.whole, answer.pieces) == ("Yes", ["Yes"])


async def test_an_answer_of_no_token_is_complete_and_empty(pair: Pair) -> None:
    answer = await pair.ask("say-")
    assert answer.whole == ""
    assert answer.end is not None
    assert answer.end.usage.output_tokens == 0


async def test_the_server_counts_and_the_reason_arrive_with_the_end(pair: Pair) -> None:
    answer = await pair.ask("len-20")
    assert answer.whole == "".join(Cycle(20))
    assert answer.end is not None
    assert answer.end.finish_reason == "stop"
    assert answer.end.usage.output_tokens == 20
    assert (answer.end.usage.input_tokens or 0) > 0
    assert not answer.end.usage.estimated


async def test_an_answer_cut_by_the_token_limit_says_length(pair: Pair) -> None:
    request = ModelRequest((Message.user("go on"),), Sampling(max_tokens=5))
    answer = await pair.ask("len-50", request)
    assert answer.whole == "".join(Cycle(5))
    assert answer.end is not None
    assert answer.end.finish_reason == "length"


async def test_thinking_comes_apart_from_the_answer(pair: Pair) -> None:
    answer = await pair.ask("thinking")
    assert answer.whole == QUESTION
    assert answer.thinking == "".join(THOUGHTS)


@pytest.mark.parametrize("form", ["", "+split-1", "+glued"])
@pytest.mark.parametrize(
    "way", [*(f"tags-{name}" for name in TAGS), *(f"thought-{name}" for name in THOUGHT_FIELDS)]
)
async def test_thinking_comes_apart_in_whatever_form(pair: Pair, way: str, form: str) -> None:
    answer = await pair.ask(f"echo+{way.replace('_', '-')}{form}")
    assert answer.whole == QUESTION
    assert answer.thinking.strip() == "".join(THOUGHTS)


async def test_a_model_that_says_only_where_its_thinking_ends_is_known_the_next_time(
    pair: Pair,
) -> None:
    for _ in range(2):
        answer = await pair.ask("echo+tags-lone")
        assert answer.whole == QUESTION
    assert answer.taken_back == (0 if pair.learns else 1)


async def test_a_tool_call_arrives_whole(pair: Pair) -> None:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    answer = await pair.ask("tools", ModelRequest((Message.user("мир"),), tools=(tool,)))
    assert answer.whole == ""
    assert answer.calls == {0: ["look_up", '{"echo": "мир"}']}
    assert answer.end is not None
    assert answer.end.finish_reason == "tool_calls"


async def test_a_schema_reaches_the_model(pair: Pair) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    request = ModelRequest((Message.user("x"),), response_format=JsonSchema("n", schema))
    assert (await pair.ask("json", request)).whole == '{"n": 1}'


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-400", BadRequest),
        ("error-401", WrongKey),
        ("error-402", QuotaExceeded),
        ("error-404", ModelNotFound),
        ("error-429", RateLimited),
        ("error-500", ServerFault),
        ("error-503", ServerBusy),
        ("context", ContextTooLong),
    ],
)
async def test_a_refusal_before_the_first_byte_is_named(
    pair: Pair, model: str, error: type[KonsiliumError]
) -> None:
    answer = await pair.ask(model)
    assert type(answer.error) is error
    assert answer.error.server == "sim"
    assert answer.error.model == model
    assert "<html" not in answer.error.detail


async def test_retry_after_is_kept_in_seconds(pair: Pair) -> None:
    answer = await pair.ask("error-429+retry-7")
    assert isinstance(answer.error, RateLimited)
    assert answer.error.retry_after == 7.0


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("len-50+error-after-9", ServerFault),
        ("len-50+bare-error-after-9", ServerFault),
        ("len-50+named-error-after-9", ServerFault),
        ("len-50+reason-error-after-9", ServerFault),
        ("len-50+as-other+error-after-9", ServerFault),
        ("len-50+as-other+cut-after-9", IncompleteAnswer),
        ("len-50+as-other+torn-after-9", IncompleteAnswer),
        ("len-50+called-json+cut-after-9", IncompleteAnswer),
        ("len-50+cut-after-9", IncompleteAnswer),
        ("len-50+torn-after-9", IncompleteAnswer),
        ("len-50+reset-after-9", ConnectionLost),
        ("len-50+close-after-9", ConnectionLost),
        ("len-50+glued+error-after-9", ServerFault),
        ("len-50+glued+cut-after-9", IncompleteAnswer),
    ],
)
async def test_an_answer_broken_in_the_middle_keeps_its_text_and_says_so(
    pair: Pair, model: str, error: type[KonsiliumError]
) -> None:
    answer = await pair.ask(model)
    assert type(answer.error) is error
    assert answer.text == "".join(Cycle(9))
    assert answer.end is None


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("html-200", MalformedAnswer),
        ("ndjson-200", MalformedAnswer),
        ("reset", ConnectionLost),
        ("close-after-0", ConnectionLost),
        ("cut-after-0", IncompleteAnswer),
    ],
)
async def test_a_server_that_says_nothing_usable_is_an_error(
    pair: Pair, model: str, error: type[KonsiliumError]
) -> None:
    answer = await pair.ask(model)
    if model == "ndjson-200" and isinstance(pair.simulator, OllamaSimulator):
        error = IncompleteAnswer  # OpenAI's pieces are understood there, and these have no end
    assert type(answer.error) is error, repr(answer.error)
    assert answer.text == ""


@pytest.mark.parametrize("model", ["stall", "load-5s", "slow-first-5s"])
async def test_a_first_token_that_never_comes_is_a_timeout(pair: Pair, model: str) -> None:
    answer = await pair.ask(model, impatiently=True)
    assert isinstance(answer.error, FirstTokenTimeout)
    assert await pair.simulator.idle(1.0)


async def test_silence_in_the_middle_is_a_timeout_and_the_text_stays(pair: Pair) -> None:
    answer = await pair.ask("len-50+stall-after-9", impatiently=True)
    assert isinstance(answer.error, SilenceTimeout)
    assert answer.text == "".join(Cycle(9))
    assert await pair.simulator.idle(1.0)


async def test_keep_alive_comments_do_not_pass_for_content(pair: Pair) -> None:
    answer = await pair.ask("len-9+chatter-after-3", impatiently=True)
    assert isinstance(answer.error, SilenceTimeout)


async def test_nobody_at_the_address_is_unavailable(pair: Pair) -> None:
    await pair.simulator.stop()
    answer = await pair.ask("echo")
    assert isinstance(answer.error, ServerUnavailable)


async def test_a_server_that_closes_while_loading_is_a_lost_connection(pair: Pair) -> None:
    asking = asyncio.create_task(pair.ask("load-5s"))
    await until(lambda: pair.simulator.open_generations)
    await pair.simulator.stop()
    assert isinstance((await asking).error, ConnectionLost)


@pytest.mark.timing
async def test_cancelling_reaches_the_server_within_a_second(pair: Pair) -> None:
    asking = asyncio.create_task(pair.ask("len-100000+paced-5ms"))
    await until(lambda: pair.simulator.open_generations == 1)
    start = time.perf_counter()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await pair.simulator.idle(1.0)
    assert time.perf_counter() - start < 1.0
    assert pair.simulator.generations[-1].ended == "gone"


@pytest.mark.timing
async def test_cancelling_before_the_first_token_reaches_the_server(pair: Pair) -> None:
    asking = asyncio.create_task(pair.ask("slow-first-5s"))
    await until(lambda: pair.simulator.open_generations)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await pair.simulator.idle(1.0)


@pytest.mark.timing
async def test_cancelling_before_any_byte_closes_the_connection(pair: Pair) -> None:
    pair.simulator.latency = 30.0
    asking = asyncio.create_task(pair.ask("echo"))
    await until(lambda: pair.simulator.open_connections)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: not pair.simulator.open_connections, within=1)


async def test_closing_the_generator_reaches_the_server(pair: Pair) -> None:
    pair.simulator.set_models(["len-100000+paced-5ms"])
    stream = pair.server.model("len-100000+paced-5ms").stream(ModelRequest((Message.user("x"),)))
    async with contextlib.aclosing(stream):
        await anext(stream)
    assert await pair.simulator.idle(1.0)
    assert pair.simulator.generations[-1].ended == "gone"


async def test_a_connection_serves_one_answer_after_another(pair: Pair) -> None:
    for _ in range(5):
        assert (await pair.ask("echo")).whole == QUESTION
    assert pair.simulator.open_connections == 1


async def test_an_end_mark_is_enough_where_the_connection_lingers(pair: Pair) -> None:
    start = time.perf_counter()
    assert (await pair.ask("echo+linger")).whole == QUESTION
    assert time.perf_counter() - start < 4.0, "the simulator lingers for 5 s"


async def test_a_slow_reader_is_not_taken_for_a_silent_server(pair: Pair) -> None:
    pair.simulator.set_models(["len-30"])
    stream = pair.impatient.model("len-30").stream(ModelRequest((Message.user("x"),)))
    text = ""
    async with contextlib.aclosing(stream):
        async for event in stream:
            if isinstance(event, TextDelta):
                if not text:
                    await asyncio.sleep(QUICK.silence * 2)
                text += event.text
    assert text == "".join(Cycle(30))


async def test_images_travel_as_bytes(pair: Pair) -> None:
    image = ImagePart(b"\x89PNG /etc/passwd", "image/png")
    pair.simulator.set_models(["llava"])
    answer = await pair.ask("llava", ModelRequest((Message.user("what is it?", image),)))
    assert answer.whole == "what is it?"
    if not pair.sees:
        return
    body = pair.simulator.requests[-1].body
    assert "iVBORyAvZXRjL3Bhc3N3ZA" in str(body).replace("=", "")
