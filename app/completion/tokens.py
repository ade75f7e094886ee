"""Tokens counted without a tokenizer: the one estimate, for prompts before a call and for calls whose
server gave no count.

There is no tokenizer that fits every model. Measured characters per token: 3.2-3.4 Ukrainian and
Russian, 4.2 English (a Llama 3 vocabulary), 2.85 Russian (Qwen 3); the divisors below stay under all
of them, so that what they give is an upper bound there. A vocabulary made for English alone takes more
for other scripts: SmolLM2 counted 25,251 tokens of Russian where 12,526 were estimated. What a model's
own counts teach of each script (`conversation.tokens`) mends that before the first long prompt where its
server counts on request, from the first answer on elsewhere.
"""

import math
import re
from collections.abc import Iterable
from functools import lru_cache

from app.core.messages import Message
from app.core.models import ModelProfile
from app.core.requests import ModelRequest

CYRILLIC_PER_TOKEN = 2.5
OTHERS_PER_TOKEN = 3.5
CODE_PER_TOKEN = 3.0
"""Characters."""
MESSAGE_TOKENS = 8
"""What a chat template puts around one message, at most."""
IMAGE_TOKENS = 768
LIKELY = 0.75
"""Tokens per bound: the bound is a third too high on average."""
SAMPLE_CHARACTERS = 4096
"""Of a long answer, as many stand for all."""
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_LETTER = re.compile(r"[^\W\d_]")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U0001f000-\U0001faff]")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


@lru_cache(maxsize=2048)
def text_tokens(text: str) -> int:
    """An estimate on the high side: Cyrillic letters / 2.5, Latin and all else / 3.5, code / 3, CJK one each."""
    code = sum(len(block) for block in _CODE.findall(text))
    prose = _CODE.sub("", text) if code else text
    cyrillic = len(_CYRILLIC.findall(prose))
    wide = len(_WIDE.findall(prose))
    others = len(prose) - cyrillic - wide
    return math.ceil(
        cyrillic / CYRILLIC_PER_TOKEN + wide + others / OTHERS_PER_TOKEN + code / CODE_PER_TOKEN
    )


@lru_cache(maxsize=2048)
def _tokens_of_letters(text: str) -> tuple[float, float]:
    """Of Cyrillic ones, and of all others; blanks and signs go with the letters around them."""
    cyrillic = len(_CYRILLIC.findall(text))
    others = len(_LETTER.findall(text)) - cyrillic
    return cyrillic / CYRILLIC_PER_TOKEN, others / OTHERS_PER_TOKEN


def cyrillic_share(texts: Iterable[str]) -> float:
    """The share of the tokens of these texts that is written in Cyrillic, 0 to 1."""
    parts = [_tokens_of_letters(text) for text in texts]
    whole = sum(cyrillic + others for cyrillic, others in parts)
    return sum(cyrillic for cyrillic, _ in parts) / whole if whole else 0.0


def message_tokens(message: Message) -> int:
    """One message of a prompt with its wrapping and its images, on the high side."""
    return text_tokens(message.text) + IMAGE_TOKENS * len(message.images) + MESSAGE_TOKENS


def prompt_tokens(messages: Iterable[Message]) -> int:
    """A whole prompt, on the high side."""
    return sum(message_tokens(message) for message in messages)


def tokens_of_characters(characters: int) -> int:
    """Of a text of which no more is known."""
    return int(characters / OTHERS_PER_TOKEN)


def likely_tokens(characters: int, sample: str) -> int:
    """Tokens of a text of that many characters, of which `sample` is a beginning: likely, no bound."""
    if characters == 0:
        return 0
    bound = text_tokens(sample[:SAMPLE_CHARACTERS])
    share = characters / max(1, min(len(sample), SAMPLE_CHARACTERS))
    return math.ceil(LIKELY * bound * share)


ANSWER_RESERVE = 1024


def answer_reserve(max_tokens: int | None, window: int) -> int:
    """Tokens of the window kept for the answer: as many as were asked for, else an eighth, 1,024 at
    most."""
    return min(max_tokens or min(ANSWER_RESERVE, window // 8), window // 2)


def window_for(profile: ModelProfile, needs: int = 0, wanted: int | None = None) -> int | None:
    """The window of a call: what is shown, what the prompt is made to fit, what the server is told.

    The person's own figure, as far as the model was made for it and its server has it; else what a
    call has by itself, doubled while `needs` (tokens of prompt and answer) is more and the machine can
    give it. None where nobody knows.
    """
    window = profile.window
    if wanted:
        most = profile.longest if profile.widest else window
        return min(wanted, most) if most else wanted
    widest = profile.widest or 0
    while window is not None and window < min(needs, widest):
        window = min(2 * window, widest)
    return window


def needs_of(request: ModelRequest, profile: ModelProfile) -> int:
    """Tokens that a prompt and its answer need, on the high side; roughly where they surely fit: of a
    text there are fewer tokens than letters."""
    window = profile.window or 0
    kept = answer_reserve(request.sampling.max_tokens, window)
    letters = sum(
        len(m.text) + IMAGE_TOKENS * len(m.images) + MESSAGE_TOKENS for m in request.messages
    )
    if letters + kept <= window:
        return letters + kept
    return prompt_tokens(request.messages) + kept
