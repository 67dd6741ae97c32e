"""Databases of the server when several processes open them."""

import asyncio

from langchain_core.runnables import RunnableConfig

from tests.billing.conftest import new_database, postgres  # noqa: F401  a fixture
from turngraph.interfaces.server.config import StoreSettings
from turngraph.interfaces.server.store import open_store


async def test_processes_that_start_together_share_an_empty_database(postgres: str) -> None:  # noqa: F811
    """Servers are started side by side, the first time too; none may fail for the others."""
    settings = StoreSettings(database=new_database(postgres))

    async def opened() -> None:
        async with open_store(settings) as store:
            given: RunnableConfig = {"configurable": {"thread_id": "t"}}
            assert await store.checkpointer.aget_tuple(given) is None

    await asyncio.gather(*(opened() for _ in range(6)))
