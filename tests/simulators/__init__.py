"""Simulated model servers: real HTTP on loopback, speaking the documented protocols exactly.

In a test:

    async with OllamaSimulator(["echo", "len-2000"]) as sim:
        ...sim.url...; sim.requests; sim.generations; sim.open_generations; sim.open_connections

As a process of its own (e2e, bench), which prints its URL:

    python -m tests.simulators ollama --port 11434 --models echo,thinking
    python -m tests.simulators openai --port 0

At run time `POST /_sim` with any of {"models": [...], "down": bool, "latency": seconds} changes it,
`{"hurry": seconds}` sends at once what is left of the answers begun until so many seconds from now,
and `GET /_sim` tells {"requests", "generations", "open_connections", "open_generations", ...}.

**What a model does is said by its name**: words joined by `+`, after which any `:tag` is ignored.
Names made of no such words (`gemma2:2b`) behave as `echo`.

| word | does |
|---|---|
| `echo` | repeats the last user message |
| `last` | repeats the last line of it |
| `len-N` | N tokens of Russian, Ukrainian and English words with an emoji now and then |
| `burst-N` | the same at full speed, whatever the pace |
| `chars-N` | one letter N times, as tokens of 1,000 |
| `marks-N` | N formulas that begin and do not end |
| `say-WORD` | says WORD; underscores are spaces; `say-` says nothing at all |
| `exotic` | U+0085, U+2028, NUL, joined emoji, combining accents, quotes, backslashes |
| `json` | JSON that fits the schema asked for, or {"answer": ...} |
| `notes` | asked for notes of a conversation, how each message of the person begins; in all else as `echo` |
| `council-N` | asked for a council's plan, calls N specialists (0: none is needed), two of whom are asked to contradict each other; in all else as its other words say |
| `tools` | calls the first tool offered, with {"echo": last user message}, or those that lines `call NAME {...}` of that message name; without tools, and once they have returned, as `echo` |
| `thinking` | thinks (12 tokens) before it answers |
| `thought-FIELD` | thinks in that field of OpenAI's chunks: `reasoning-content`, `reasoning`, `reasoning-details` |
| `tags-FORM` | thinks in the text itself: `think`, `thinking`, `thought`, `brackets`, `channels`, `lone` (only the closing tag) |
| `halves` | emoji are cut between the two halves of their surrogate pair |
| `paced-Nms` | a token every N ms (also `paced-Ns`) |
| `slow-first-Ns` | the first token after N seconds (also `Nms`), headers with it as Ollama does |
| `load-Ns` | loads for N seconds at its first use; Ollama shows it in `/api/ps` |
| `comments` | comments (OpenAI) and blank lines between the events |
| `empty-data` | OpenAI: events whose data is empty between the events |
| `called-json` | the content type says JSON (also `called-html`, `called-events`) |
| `as-other` | OpenAI: a chunk a line; Ollama: its lines as events |
| `unstreamed` | OpenAI: one JSON object where a stream was asked for |
| `streamed` | OpenAI: a stream where one object was asked for |
| `crlf` | lines end in CR LF |
| `split-N` | bytes go out N at a time, each in a packet of its own (`utf8-split` is `split-1`) |
| `glued` | everything in one packet |
| `error-S` | refused with status S, in the server's own form; 500 with a page of HTML |
| `retry-N` | with `error-429`, `error-503`: Retry-After N |
| `flaky-N` | the first N requests are refused with 503 |
| `context` | refused: the prompt is longer than the window |
| `error-after-N` | an error event or line after N tokens |
| `bare-error-after-N` | OpenAI: an error event without the wrapper `error`; `named-error-after-N`: an event named `error`; `reason-error-after-N`: `finish_reason: error` |
| `cut-after-N` | the stream ends, tidily but without its end mark, after N tokens |
| `torn-after-N` | ends tidily inside a line or event |
| `reset-after-N` | the connection is reset after N tokens (`reset`: before any byte) |
| `close-after-N` | the connection is closed without the end of the HTTP message |
| `stall-after-N` | silence after N tokens (`stall`: from the beginning) |
| `chatter-after-N` | OpenAI: only keep-alive comments after N tokens |
| `html-200` | a page of HTML at 200 |
| `ndjson-200` | Ollama's lines from the OpenAI server and the other way round |
| `length` | ends by reason of length |
| `nousage` | tells no token counts |
| `nodone` | OpenAI: finish_reason but no `[DONE]` |
| `noreason` | OpenAI: `[DONE]` but no finish_reason |
| `linger` | the connection stays open for 5 s after the end mark |

`pull` by name (Ollama): `pull-slow` takes 20 x 0.1 s a layer, `pull-stall` stops in the middle,
`pull-error` breaks in the middle the first time, `pull-full` has no space left, `pull-unknown` has no
manifest; any other name comes at once. What has come of a layer is kept: the next pull resumes.
"""

from tests.simulators.gigachat import GigaChatSimulator
from tests.simulators.ollama import OllamaSimulator
from tests.simulators.openai import OpenAISimulator

__all__ = ["GigaChatSimulator", "OllamaSimulator", "OpenAISimulator"]
