"""A SQL plugin: a manifest and a database become a tool."""

from typing import Any, Final

from turngraph.tools.manifests.kinds import SqlPluginManifest
from turngraph.tools.manifests.parameters import schema_of, values_of
from turngraph.tools.plugin import LoadedPlugin, make_tool
from turngraph.tools.sql.database import Database
from turngraph.tools.sql.statement import prepare

__all__ = ["sql_plugin"]

MAX_ROWS: Final = 1_000
"""Where the manifest names no limit, and above it."""


def sql_plugin(manifest: SqlPluginManifest, database: Database) -> LoadedPlugin:
    """The plugin of a `SqlPlugin` manifest. Nothing is asked of the database yet.

    Raises StatementError where the query is not one reading statement.
    """
    data = manifest.spec.sql_data
    limit = min(data.limit or MAX_ROWS, MAX_ROWS)
    statement = prepare(
        data.sql_query,
        dialect=database.dialect,
        types={parameter.name: parameter.type for parameter in data.parameters},
        limit=limit + 1,  # one more than is told, to know whether there is more
        functions=database.place.data.read_only_functions,
    )

    def ask(**arguments: Any) -> dict[str, Any]:
        return database.ask(statement, values_of(data.parameters, arguments), limit=limit).told()

    return LoadedPlugin(
        name=manifest.metadata.name,
        selector=manifest.spec.selector,
        prompt=manifest.spec.prompt,
        tool=make_tool(manifest.metadata.name, data.description, schema_of(data.parameters), ask),
        kind="SqlPlugin",
        connection=manifest.spec.connection,
        test_arguments={value.name: value.value for value in data.test_values},
    )
