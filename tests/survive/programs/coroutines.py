import asyncio


async def work(name, n):
    total = 0
    for i in range(n):
        await asyncio.sleep(0)
        total += i
    return name, total


async def ticks(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)


class Manager:
    async def __aenter__(self):
        return "in"

    async def __aexit__(self, *args):
        return False


async def main():
    both = await asyncio.gather(work("a", 2), work("b", 1))
    seen = []
    async for tick in ticks(2):
        seen.append(tick)
    async with Manager() as m:
        seen.append(m)
    squares = [t * t async for t in ticks(2)]
    task = asyncio.ensure_future(work("c", 1))
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.001)
    except asyncio.TimeoutError as error:
        kind = type(error).__name__
    return both, seen, squares, kind, await task
