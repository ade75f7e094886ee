"""The yardstick: a Chainlit app as people write it. One client a message, one event a token."""

import os

import chainlit as cl
from ollama import AsyncClient


@cl.on_chat_start
async def on_chat_start() -> None:
    models = await AsyncClient(host=os.environ["OLLAMA_HOST"]).list()
    cl.user_session.set("models", [model.model for model in models.models])
    cl.user_session.set("history", [])


@cl.on_message
async def on_message(message: cl.Message) -> None:
    history = cl.user_session.get("history")
    history.append({"role": "user", "content": message.content})
    client = AsyncClient(host=os.environ["OLLAMA_HOST"])
    answer = cl.Message(content="")
    stream = await client.chat(os.environ["MODEL_NAME"], messages=history, stream=True)
    async for part in stream:
        await answer.stream_token(part.message.content or "")
    await answer.update()
    history.append({"role": "assistant", "content": answer.content})
