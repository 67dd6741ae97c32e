"""Makes a tool of a `SqlPlugin` manifest and its database."""

from typing import Final

from turngraph.state.json_types import JsonObject
from turngraph.tools.manifests.kinds import SqlPluginManifest
from turngraph.tools.manifests.parameters import parameter_values, parameters_schema
from turngraph.tools.plugin import LoadedPlugin, make_tool
from turngraph.tools.sql.database import Database
from turngraph.tools.sql.statement import prepare

__all__ = ["sql_plugin"]

MAX_ROWS: Final = 1_000
"""The limit if the manifest gives none, and the largest limit it can give."""


def sql_plugin(manifest: SqlPluginManifest, database: Database) -> LoadedPlugin:
    """Returns the plugin of a `SqlPlugin` manifest. Sends nothing to the database.

    Raises StatementError if the query is not one statement that only reads.
    """
    data = manifest.spec.sql_data
    limit = min(data.limit or MAX_ROWS, MAX_ROWS)
    statement = prepare(
        data.sql_query,
        dialect=database.dialect,
        types={parameter.name: parameter.type for parameter in data.parameters},
        limit=limit + 1,  # one more than the model receives, to know whether there are more
        functions=database.location.data.read_only_functions,
    )

    def query(**arguments: object) -> JsonObject:
        values = parameter_values(data.parameters, arguments)
        return database.query(statement, values, limit=limit).as_answer()

    name = manifest.metadata.name
    return LoadedPlugin(
        name=name,
        selector=manifest.spec.selector,
        prompt=manifest.spec.prompt,
        tool=make_tool(name, data.description, parameters_schema(data.parameters), query),
        kind="SqlPlugin",
        connection=manifest.spec.connection,
        test_arguments={value.name: value.value for value in data.test_values},
    )
