"""LangGraph's checkpoint namespaces: which graph runs in which task.

A namespace is empty for the outermost graph. For a graph that is a node it is the chain of tasks
around it, `chat:TASK_ID|inner:TASK_ID`.
"""

__all__ = ["child_namespace", "is_within", "readable_path", "task_ids"]


def child_namespace(namespace: str, node: str, task_id: str) -> str:
    """The namespace of the graph that the task `task_id` of `node` runs.

    >>> child_namespace("chat:1", "search", "2")
    'chat:1|search:2'
    """
    own = f"{node}:{task_id}"
    return f"{namespace}|{own}" if namespace else own


def is_within(namespace: str, outer: str) -> bool:
    """Whether `namespace` is `outer` or lies in it.

    >>> is_within("chat:1|search:2", "chat:1"), is_within("chat:12", "chat:1")
    (True, False)
    """
    return namespace == outer or namespace.startswith(f"{outer}|")


def task_ids(namespace: str) -> list[str]:
    """The ids of the tasks around a namespace, the outermost first.

    >>> task_ids("chat:1|search:2")
    ['1', '2']
    """
    return [part.partition(":")[2] for part in namespace.split("|") if part]


def readable_path(namespace: str) -> str:
    """The names of the nodes around a namespace.

    >>> readable_path("chat:1|search:2")
    'chat/search'
    """
    return "/".join(part.partition(":")[0] for part in namespace.split("|") if part)
