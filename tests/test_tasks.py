from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import Context, ContextVar

from sekisho.tasks import TaskSet

USER = ContextVar("USER", default="nobody")


async def test_a_task_is_held_until_it_ends() -> None:
    """Without the set nothing would refer to a task that waits for a future which only the task itself holds."""
    tasks = TaskSet()
    held = weakref.ref(tasks.start(_waits()))
    await asyncio.sleep(0)
    gc.collect()
    assert held() is not None
    assert len(tasks) == 1
    await tasks.cancel()
    assert len(tasks) == 0
    assert not tasks


async def _waits() -> None:
    await asyncio.get_running_loop().create_future()


async def test_waiting_for_the_end_raises_nothing() -> None:
    async def fails() -> None:
        raise ValueError

    tasks = TaskSet()
    task = tasks.start(fails(), name="sekisho test")
    assert task.get_name() == "sekisho test"
    assert tasks.running == (task,)
    await tasks.ended()
    assert isinstance(task.exception(), ValueError)
    assert not tasks.running


async def test_a_task_may_run_in_a_context_of_its_own() -> None:
    async def user() -> str:
        return USER.get()

    USER.set("somebody")
    tasks = TaskSet()
    assert await tasks.start(user()) == "somebody"
    assert await tasks.start(user(), context=Context()) == "nobody"
