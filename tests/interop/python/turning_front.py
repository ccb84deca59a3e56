"""`turning_front.py PORT PORT…`: gives each connection to the first port to the next of the others, as a load balancer does;
whoever does not answer is passed over."""

import asyncio
import itertools
import sys

front, *behind = map(int, sys.argv[1:])
next_port = itertools.cycle(behind)


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in behind:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", next(next_port))
            break
        except OSError:
            continue
    else:
        writer.close()
        return
    await asyncio.gather(copy(reader, back), copy(there, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def serve() -> None:
    async with await asyncio.start_server(join, "127.0.0.1", front) as server:
        await server.serve_forever()


asyncio.run(serve())
