"""A deterministic event loop for several processes: one seed gives one interleaving.

Each process has a queue of its own, as its real event loop would; whose queue goes on next is
drawn. Time is virtual and moves when nobody has anything to do. A process that is killed never runs
another step, one that is paused runs them later: both can happen between any two steps.
"""

import asyncio
import contextlib
import heapq
import sys
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any

MOST_STEPS = 60_000
"""Of a whole run; one needs some thousands."""

HERE: ContextVar["Process"] = ContextVar("process")


class Endless(AssertionError):
    """The processes keep each other busy."""


class Handle:
    """A step that is to be run; what asyncio expects of one."""

    __slots__ = ("args", "callback", "context", "dropped", "process", "time")

    def __init__(
        self,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context,
        process: "Process",
        time: float = 0.0,
    ) -> None:
        self.callback, self.args, self.context = callback, args, context
        self.process, self.time, self.dropped = process, time, False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped

    def when(self) -> float:
        return self.time


class Task(asyncio.Task[Any]):
    """Sets of tasks are in the order of a number, not of where they are in memory."""

    number: int

    def __hash__(self) -> int:
        return self.number


class Process:
    """What a crash ends at once: its tasks, its queue, its timers."""

    def __init__(self, loop: "SimLoop", name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.steps = 0
        self.stop_at: int | None = None
        """The count of steps at which `on_stop` is called: a fault at an exact place."""
        self.on_stop: Callable[[], None] = lambda: None
        self.ready: deque[Handle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.context = copy_context()
        self.context.run(HERE.set, self)
        self._loop = loop

    def kill(self) -> None:
        """Nothing more of it runs; what it has sent is on its way."""
        self.alive = False
        self.ready.clear()
        self._loop.leave(self)

    def pause(self) -> None:
        self.paused = True
        self._loop.leave(self)

    def resume(self) -> None:
        self.paused = False
        if self.ready and self.alive:
            self._loop.enter(self)

    def run(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start a task of this process."""
        return self._loop.create_task(work, context=self.context.copy())


class SimLoop(asyncio.AbstractEventLoop):
    """Runs processes; `network` is the one that nothing happens to."""

    def __init__(self, rng: Random) -> None:
        self.now = 0.0
        self.steps = 0
        self.rng = rng
        self.stopped: BaseException | None = None
        self.processes: list[Process] = []
        self._order = count()
        self._timers: list[tuple[float, int, Handle]] = []
        self._runnable: list[Process] = []
        self._closed = False
        self.network = self.process("network")
        self._current = self.network

    def process(self, name: str) -> Process:
        made = Process(self, name)
        self.processes.append(made)
        return made

    # running

    def run(self, until: float, done: Callable[[], bool] | None = None) -> bool:
        """Run up to an instant, or until `done`, asked before each jump of the clock."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while True:
                self._run_ready()
                if done is not None and done():
                    return True
                if not self._timers or self._timers[0][0] > until:
                    self.now = max(self.now, until)
                    return False
                self._pass_time()
        finally:
            events._set_running_loop(before)

    def _run_ready(self) -> None:
        runnable, draw = self._runnable, self.rng.random
        while runnable:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Endless(f"{MOST_STEPS} steps")
            process = runnable[int(draw() * len(runnable))]
            process.steps += 1
            if process.steps == process.stop_at:
                process.on_stop()
                if not process.alive or process.paused:
                    continue
            handle = process.ready.popleft()
            if not process.ready:
                runnable.remove(process)
            if not handle.dropped:
                self._current = process
                handle.context.run(handle.callback, *handle.args)
                if self.stopped is not None:
                    raise self.stopped

    def _pass_time(self) -> None:
        timers = self._timers
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            handle = heapq.heappop(timers)[2]
            if not handle.dropped:
                self._enqueue(handle)

    def _enqueue(self, handle: Handle) -> None:
        process = handle.process
        if not process.alive:
            return
        process.ready.append(handle)
        if len(process.ready) == 1 and not process.paused:
            self._runnable.append(process)

    def enter(self, process: Process) -> None:
        if process not in self._runnable:
            self._runnable.append(process)

    def leave(self, process: Process) -> None:
        with contextlib.suppress(ValueError):
            self._runnable.remove(process)

    # what asyncio and our own parts ask for

    def time(self) -> float:
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        if context is None:
            process = self._current
            context = process.context
        else:
            process = context.get(HERE, self.network)
        handle = Handle(callback, args, context, process)
        if not self._closed:
            self._enqueue(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        if context is None:
            process = self._current
            context = process.context
        else:
            process = context.get(HERE, self.network)
        handle = Handle(callback, args, context, process, when)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def outside(self, delay: float, callback: Callable[..., Any], *args: Any) -> None:
        """Later, whatever becomes of the process that asks."""
        handle = Handle(callback, args, self.network.context, self.network, self.now + delay)
        if delay > 0:
            heapq.heappush(self._timers, (handle.time, next(self._order), handle))
        else:
            self._enqueue(handle)

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> "asyncio.Task[Any]":
        if self._closed:
            coro.close()
            return self.create_future()  # type: ignore[return-value]
        task = Task.__new__(Task)
        task.number = next(self._order)
        task.__init__(coro, loop=self, name=name or "", context=context)  # type: ignore[misc]
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        owner = self._current if context is None else context.get(HERE, self.network)
        tasks = owner.tasks
        tasks.append(task)
        if len(tasks) > 64:
            tasks[:] = [each for each in tasks if not each.done()]
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody looked at in a process that failed or was killed is no news."""

    # the end

    def close(self) -> None:
        """End every coroutine that is left, and whatever it would do at its end goes nowhere."""
        self._closed = True
        before, hook = events._get_running_loop(), sys.unraisablehook
        events._set_running_loop(self)
        sys.unraisablehook = lambda _: None
        try:
            for process in self.processes:
                for task in process.tasks:
                    if not task.done():
                        with contextlib.suppress(BaseException):
                            task.get_coro().close()
                process.tasks.clear()
                process.ready.clear()
            self._timers.clear()
        finally:
            sys.unraisablehook = hook
            events._set_running_loop(before)
