"""What LangGraph's own drawing leaves out is drawn: where functions decide at run time."""

from typing import Literal

from langchain_core.runnables.graph import Edge
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, Send

from tests.drawing.test_drawing import same
from turngraph.drawing import draw_svg, draw_text
from turngraph.drawing.whole_graph import open_nodes, whole_graph
from turngraph.graphs import chat_turn

NOTE = "next: decided at run time"


def builder(*names: str) -> StateGraph[MessagesState, None, MessagesState, MessagesState]:
    """A graph of these nodes that begins with the first one and has no other edge."""
    graph = StateGraph(MessagesState)
    for name in names:
        graph.add_node(name, same)
    return graph.add_edge(START, names[0])


def lines(edges: list[Edge]) -> set[str]:
    """Edges as they are drawn: `a → b`, or `a ⇢ b` for a conditional one."""
    return {f"{each.source} {'⇢' if each.conditional else '→'} {each.target}" for each in edges}


def test_a_route_without_a_map_leads_to_the_nodes_that_nothing_else_leads_to() -> None:
    """LangGraph draws them without an edge, and the node before them as if it led to the end."""
    graph = builder("decide", "left", "right", "after")
    graph.add_conditional_edges("decide", lambda _: "left")
    graph.add_edge("left", "after")
    whole = whole_graph(graph.compile())
    assert lines(whole.edges) == {
        "__start__ → decide",
        *("decide ⇢ left", "decide ⇢ right", "decide ⇢ __end__"),
        *("left → after", "after → __end__", "right → __end__"),
    }
    assert open_nodes(whole) == ["decide"]


def test_a_route_with_a_map_is_drawn_as_it_is() -> None:
    """A map, or a return type that says the same, is exact: nothing is added."""

    def route(state: MessagesState) -> Literal["left", "right"]:
        return "left"

    graph = builder("decide", "left", "right")
    graph.add_conditional_edges("decide", route)
    compiled = graph.compile()
    assert lines(whole_graph(compiled).edges) == lines(compiled.get_graph().edges)
    assert NOTE not in draw_text(compiled)
    turn = chat_turn("scripted")
    assert draw_svg(turn) == draw_svg(turn.get_graph())


def test_tasks_that_are_sent_are_behind_the_node_that_sends_them() -> None:
    """`Send` names its node when it runs; what follows the tasks is drawn too."""
    graph = builder("plan", "work", "join")
    graph.add_conditional_edges("plan", lambda _: [Send("work", {"messages": []})])
    graph.add_edge("work", "join")
    assert {"plan ⇢ work", "work → join", "join → __end__"} <= lines(
        whole_graph(graph.compile()).edges
    )


def test_a_command_leads_to_the_nodes_that_nothing_else_leads_to() -> None:
    """Without a return type, nothing declares that a node returns one."""
    graph = StateGraph(MessagesState)
    graph.add_node("decide", lambda _: Command(goto="left"))
    graph.add_node("left", same)
    graph.add_edge(START, "decide")
    whole = whole_graph(graph.compile())
    assert {"decide ⇢ left", "decide ⇢ __end__"} <= lines(whole.edges)
    assert open_nodes(whole) == ["decide"]


def test_a_route_back_is_told_in_words() -> None:
    """Where every node has an edge already, none is invented: the note says that more may be."""
    graph = builder("ask", "check")
    graph.add_edge("ask", "check").add_conditional_edges("check", lambda _: END)
    whole = whole_graph(graph.compile())
    assert lines(whole.edges) == {"__start__ → ask", "ask → check", "check ⇢ __end__"}
    assert f"check: {NOTE}" in draw_text(graph.compile())


def test_both_pictures_say_it() -> None:
    """In words, under the name of the node; a note of the caller's takes its place."""
    graph = builder("decide", "left")
    graph.add_conditional_edges("decide", lambda _: "left")
    compiled = graph.compile()
    assert NOTE in draw_svg(compiled)
    assert draw_text(compiled).endswith(f"decide: {NOTE}")
    assert NOTE not in draw_svg(compiled, notes={"decide": "1 of 2 failed"})


def test_a_start_that_decides_has_its_edges_too() -> None:
    """The first node may be chosen at run time as well."""
    graph = StateGraph(MessagesState)
    graph.add_node("left", same).add_node("right", same)
    graph.add_conditional_edges(START, lambda _: "left")
    compiled = graph.compile()
    assert {"__start__ ⇢ left", "__start__ ⇢ right", "left → __end__"} <= lines(
        whole_graph(compiled).edges
    )
    assert END in whole_graph(compiled).nodes
