"""`turngraph serve`: an OpenAI-compatible server whose models are turns."""

import os
import sys
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

__all__ = ["serve"]


def serve(
    source: str | None = None,
    /,
    *,
    host: str | None = None,
    port: Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))] = None,
    workers: Annotated[int | None, Parameter(validator=Number(gte=1, lte=256))] = None,
    database: Annotated[str | None, Parameter(env_var="TURNGRAPH_LEDGER")] = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    schema: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Serve turns to any OpenAI client.

    Parameters
    ----------
    source
        A configuration (`turngraph.toml`) or a graph (`agent.py:app`). Default: `turngraph.toml`
        here, else the scripted model.
    host
        The address to listen on, in place of the configuration's. Default: 127.0.0.1.
    port
        The port to listen on. Default: 8000.
    workers
        How many processes serve. Default: 1.
    database
        Where keys, money and conversations are kept, as in sqlite:///turns.db. Put a URL with a
        password into the variable.
    check
        Check the configuration, build everything it names, and end.
    schema
        Print the JSON schema of the configuration, and end.
    """
    try:
        from turngraph.interfaces.server import command
    except ModuleNotFoundError as exc:
        from turngraph.state.errors import TurnConfigurationError

        raise TurnConfigurationError(
            f"The server needs `{exc.name}`: pip install 'turngraph[server]'."
        ) from exc

    if schema:
        print(command.schema_text())
        return 0
    server = {"host": host, "port": port, "workers": workers}
    changes: dict[str, dict[str, Any]] = {
        "server": {name: value for name, value in server.items() if value is not None},
        "store": {} if database is None else {"database": database},
    }
    if check:
        print(command.checked(source, changes, os.environ))
        return 0
    notice = command.notice(source)
    if notice:
        print(notice, file=sys.stderr)
    command.serve(source, changes)
    return 0
