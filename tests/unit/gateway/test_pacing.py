import asyncio

from app.gateway.services import RequestPacer


async def test_those_who_come_together_enter_in_order_one_an_iteration():
    pacer, order = RequestPacer(), []

    async def come(number: int) -> None:
        await pacer.enter()
        order.append(number)

    async def count() -> None:
        while len(order) < 4:
            seen.append(len(order))
            await asyncio.sleep(0)

    seen: list[int] = []
    await asyncio.gather(*(come(number) for number in range(4)), count())
    assert order == [0, 1, 2, 3]
    assert {1, 2, 3} <= set(seen), "never two at once"


async def test_who_leaves_while_waiting_holds_up_nobody():
    pacer = RequestPacer()
    first, second, third = (asyncio.create_task(pacer.enter()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    async with asyncio.timeout(1):
        await asyncio.wait([first, second, third])
    assert third.done()
    assert not third.cancelled()
    await pacer.enter()
