"""A kernel client that is ready as soon as its kernel is."""

import logging
import time
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous import AsyncKernelClient

logger = logging.getLogger(__name__)
REPLY_SECONDS, PUBLISHED_SECONDS = 1.0, 0.2


class PromptClient(AsyncKernelClient):
    """Ready when the kernel has answered on its shell channel and published on its other one.

    The base class then listens for two more tenths of a second, to throw away what was published meanwhile. nbclient
    takes only what answers its own requests, so nothing need be thrown away.

    What the kernel publishes is queued without a limit: with the usual one a cell that prints fast loses messages, and
    with them the word that it has ended.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.context.setsockopt(zmq.RCVHWM, 0)

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        """
        Raises:
            RuntimeError: the kernel died, or did not answer in time.
        """
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            self.kernel_info()
            try:
                reply = await self.shell_channel.get_msg(timeout=REPLY_SECONDS)
                if reply["msg_type"] == "kernel_info_reply":
                    await self.iopub_channel.get_msg(timeout=PUBLISHED_SECONDS)
                    self._handle_kernel_info_reply(reply)
                    return
            except Empty:
                logger.debug("the kernel is not there yet, or not connected yet: asking again")
            if not await self._async_is_alive():
                raise RuntimeError("the kernel died before it answered")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the kernel did not answer in {timeout:.0f} s")

    wait_for_ready = _async_wait_for_ready
