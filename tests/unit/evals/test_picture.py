"""The drawing of a graph: well-formed, whole, and made without asking anybody."""

from xml.etree import ElementTree

from langchain_core.runnables.graph import Graph
from langgraph.graph.state import StateGraph

from evals.walk.views import picture
from graphs.mission import mission_graph
from nodes.state import MissionState

SVG = "{http://www.w3.org/2000/svg}"


def drawn(graph: Graph) -> ElementTree.Element:
    return ElementTree.fromstring(picture(graph).svg)


def test_every_node_and_every_edge_is_drawn_once_and_inside() -> None:
    graph = mission_graph().get_graph()
    svg = drawn(graph)
    named = [node.text for node in svg.iter(f"{SVG}text")]
    assert named == [name for name in graph.nodes if not name.startswith("__")]
    paths = [path.get("d", "") for path in svg.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(paths) == len(set(paths)) == len(graph.edges)
    width, height = float(svg.get("width", 0)), float(svg.get("height", 0))
    for box in svg.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", -1)) <= width - float(box.get("width", 0))
        assert 0 <= float(box.get("y", -1)) <= height - float(box.get("height", 0))


def test_a_name_is_text() -> None:
    graph = StateGraph(MissionState)
    graph.add_node("<b>&", lambda state: state)
    graph.set_entry_point("<b>&")
    assert [node.text for node in drawn(graph.compile().get_graph()).iter(f"{SVG}text")] == ["<b>&"]
