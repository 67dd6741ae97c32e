"""Pictures of graphs show every node and edge, invent nothing, and fetch nothing."""

import re
from typing import Any
from xml.etree import ElementTree

from hypothesis import given, settings, strategies as st
from langchain_core.runnables.graph import Graph
from langgraph.graph import END, START, MessagesState, StateGraph

from turngraph.drawing.layout import Edge, layout
from turngraph.drawing.svg import draw_svg
from turngraph.drawing.text import draw_text

SVG = "{http://www.w3.org/2000/svg}"


def same(state: MessagesState) -> MessagesState:
    """A node that does nothing."""
    return state


def house() -> Graph:
    """A router, two experts side by side, a way back, a loop of a node with itself."""
    graph = StateGraph(MessagesState)
    for name in ("router", "weather", "law", "merge"):
        graph.add_node(name, same)
    graph.add_edge(START, "router")
    graph.add_conditional_edges("router", lambda _: "law", ["weather", "law", END])
    graph.add_edge("weather", "merge")
    graph.add_edge("law", "merge")
    graph.add_conditional_edges("merge", lambda _: END, ["router", "merge", END])
    return graph.compile().get_graph()


def drawn(nodes: list[str], edges: list[Edge]) -> Graph:
    """A graph of these parts."""
    graph = Graph()
    known = {name: graph.add_node(None, id=name) for name in nodes}
    for edge in edges:
        graph.add_edge(known[edge.source], known[edge.target], conditional=edge.conditional)
    return graph


@st.composite
def graphs(draw: Any) -> tuple[list[str], list[Edge]]:
    """Any directed graph, rings and islands included."""
    nodes = [f"n{n}" for n in range(draw(st.integers(1, 8)))]
    nodes += draw(st.sampled_from([[], [END]]))
    pair = st.builds(Edge, st.sampled_from(nodes), st.sampled_from(nodes), st.booleans())
    return nodes, draw(
        st.lists(pair, max_size=16, unique_by=lambda edge: (edge.source, edge.target))
    )


@given(graphs())
def test_every_node_has_a_place_and_every_edge_a_route(
    parts: tuple[list[str], list[Edge]],
) -> None:
    """Lines in one lane do not overlap, unless they always lead to the same node."""
    nodes, edges = parts
    plan = layout(nodes, edges)
    assert sorted(node for row in plan.rows for node in row) == sorted(nodes)
    assert [route.edge for route in plan.routes] == edges
    for route in plan.routes:
        down = plan.row_of(route.edge.target) - plan.row_of(route.edge.source)
        assert {"down": down == 1, "left": down > 1, "right": down <= 0}[route.side]
    for one in plan.routes:
        for other in plan.routes:
            joined = one.edge.target == other.edge.target and not (
                one.edge.conditional or other.edge.conditional
            )
            if (
                one is not other
                and one.side == other.side != "down"
                and one.lane == other.lane
                and not joined
            ):
                spans = [
                    sorted((plan.row_of(r.edge.source), plan.row_of(r.edge.target)))
                    for r in (one, other)
                ]
                assert spans[0][1] < spans[1][0] or spans[1][1] < spans[0][0]


@settings(max_examples=30)
@given(graphs())
def test_any_graph_can_be_drawn(parts: tuple[list[str], list[Edge]]) -> None:
    """The SVG is well-formed with a box for each node; the text has every name."""
    nodes, edges = parts
    graph = drawn(nodes, edges)
    root = ElementTree.fromstring(draw_svg(graph))
    assert {box.get("data-node") for box in root.iter(f"{SVG}g")} == set(nodes)
    assert len(root.findall(f"{SVG}path")) == len(edges)
    text = draw_text(graph)
    assert all(name in text for name in nodes if name != END)


def test_a_conditional_edge_is_dashed() -> None:
    """A reader must see where the graph decides."""
    paths = [
        path.get("class")
        for path in ElementTree.fromstring(draw_svg(house())).findall(f"{SVG}path")
    ]
    conditional = [edge.conditional for edge in house().edges]
    assert [("maybe" in (kind or "")) for kind in paths] == conditional


def test_boxes_do_not_overlap_and_are_inside_the_picture() -> None:
    """The graph has rows of one box and of two."""
    root = ElementTree.fromstring(draw_svg(house()))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    rects = [
        tuple(float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
    ]
    for n, (x, y, w, h) in enumerate(rects):
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        assert all(
            x + w <= a or a + c <= x or y + h <= b or b + d <= y for a, b, c, d in rects[n + 1 :]
        )


def test_a_name_is_text_and_never_markup() -> None:
    """The name of a node must not run as a script."""
    name = '<script>alert("&")</script>'
    root = ElementTree.fromstring(draw_svg(drawn([name, "b"], [Edge(name, "b")])))
    assert root.find(f".//{SVG}script") is None
    assert [text.text for text in root.iter(f"{SVG}text")] == [name, "b"]


def test_a_name_with_characters_that_xml_forbids_is_drawn() -> None:
    """One control character would make the whole picture invalid."""
    root = ElementTree.fromstring(draw_svg(drawn(["a\x1b\ud800", "b"], [Edge("a\x1b\ud800", "b")])))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["a��", "b"]


def test_the_end_is_alone_in_the_last_row() -> None:
    """Where a supervisor may end or continue, the end must not look like one of its experts."""
    assert layout(
        ["boss", "a", END], [Edge("boss", "a"), Edge("boss", END), Edge("a", "boss")]
    ).rows[-1] == (END,)


def test_an_edge_shows_its_label() -> None:
    """LangGraph's labels say when an edge is taken."""
    graph = StateGraph(MessagesState)
    for name in ("ask", "yes", "no"):
        graph.add_node(name, same)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", lambda _: "approved", {"approved": "yes", "rejected": "no"})
    texts = {
        text.text
        for text in ElementTree.fromstring(draw_svg(graph.compile().get_graph())).iter(f"{SVG}text")
    }
    assert {"approved", "rejected"} <= texts


def test_a_node_that_is_a_graph_has_a_double_frame() -> None:
    """The stepper can step into such a node."""
    graph = StateGraph(MessagesState)
    graph.add_node(
        "inner", StateGraph(MessagesState).add_node("a", same).add_edge(START, "a").compile()
    )
    graph.add_node("plain", same)
    graph.add_edge(START, "inner").add_edge("inner", "plain")
    root = ElementTree.fromstring(draw_svg(graph.compile().get_graph()))
    frames = {box.get("data-node"): len(box.findall(f"{SVG}rect")) for box in root.iter(f"{SVG}g")}
    assert (frames["inner"], frames["plain"]) == (2, 1)


def test_a_mark_is_a_sign_and_not_only_a_color() -> None:
    """Many readers cannot tell red from green."""
    root = ElementTree.fromstring(
        draw_svg(drawn(["a", "b"], [Edge("a", "b")]), marks={"a": "done", "b": "failed"})
    )
    shown = {
        box.get("data-mark"): [text.text for text in box.iter(f"{SVG}text")]
        for box in root.iter(f"{SVG}g")
    }
    assert shown == {"done": ["a", "✓"], "failed": ["b", "✗"]}


def test_without_its_style_sheet_the_picture_is_light() -> None:
    """Repository pages strip style sheets; black boxes were left (jupyter/nbviewer#1037)."""
    root = ElementTree.fromstring(draw_svg(house()))
    for rect in root.iter(f"{SVG}rect"):
        assert rect.get("fill") in ("#ffffff", "#eaeef2")
    for text in root.iter(f"{SVG}text"):
        assert text.get("text-anchor") == "middle"


def test_the_picture_names_no_address_to_fetch() -> None:
    """It is drawn offline and shown offline."""
    assert re.findall(r"https?://[^\"]+", draw_svg(house())) == ["http://www.w3.org/2000/svg"]
