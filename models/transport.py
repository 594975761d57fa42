"""What comes over the wire from a model is bounded: so many bytes, plain, and from nowhere else than where it was asked."""

from collections.abc import AsyncIterator

import httpx2


class TooMuch(Exception):
    """A server sends more than an answer can be, or something else than an answer."""


class Bounded(httpx2.AsyncBaseTransport):
    """Another transport, whose answers end with TooMuch after `most_bytes`; redirects and compressed answers are none.

    An answer is counted as it comes, so that neither a flood nor a bomb is ever held.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, most_bytes: int) -> None:
        self._inner = inner
        self._most_bytes = most_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See AsyncBaseTransport."""
        response = await self._inner.handle_async_request(request)
        counted = _Counted(response.stream, self._most_bytes)
        if 300 <= response.status_code < 400 or response.headers.get("content-encoding", "identity") != "identity":
            await counted.aclose()
            raise TooMuch
        return httpx2.Response(response.status_code, headers=response.headers, stream=counted, extensions=response.extensions)

    async def aclose(self) -> None:
        """See AsyncBaseTransport."""
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: object, most_bytes: int) -> None:
        assert isinstance(inner, httpx2.AsyncByteStream)
        self._inner = inner
        self._left = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise TooMuch
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
