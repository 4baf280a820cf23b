"""Decision diagrams over atomic classes: which result each class of datagrams has, equal parts kept once.

A node asks for the class in one dimension and has one child for each; dimensions are asked in a fixed order and
only where the answer matters, so that two diagrams that say the same are the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from fsm.errors import FsmError


class TooLarge(FsmError):
    """The diagram has more nodes than the caller allows."""


class Decisions:
    """A store of nodes that share their parts.

    Parameters
    ----------
    sizes : how many classes each dimension has, in the order in which they are asked.
    limit_nodes : make at most that many nodes.
    """

    def __init__(self, sizes: Sequence[int], limit_nodes: int = 200_000) -> None:
        self.sizes = tuple(sizes)
        self.limit_nodes = limit_nodes
        self._nodes: list[tuple[int, tuple[int, ...]]] = []
        self._ids: dict[tuple[int, tuple[int, ...]], int] = {}
        self._leaves: list[Hashable] = []
        self._leaf_ids: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def leaf(self, value: Hashable) -> int:
        """The diagram that has one result everywhere."""
        number = self._leaf_ids.get(value)
        if number is None:
            number = self._leaf_ids[value] = -1 - len(self._leaves)
            self._leaves.append(value)
        return number

    def value(self, node: int) -> Hashable:
        """The result of a leaf."""
        return self._leaves[-1 - node]

    def node(self, dimension: int, children: Sequence[int]) -> int:
        """The diagram that goes on with a child for each class.

        Raises
        ------
        TooLarge : the limit is reached.
        """
        first = children[0]
        if all(child == first for child in children):
            return first
        key = (dimension, tuple(children))
        number = self._ids.get(key)
        if number is None:
            if len(self._nodes) >= self.limit_nodes:
                raise TooLarge("splitting", f"more than {self.limit_nodes} parts", fix="Say more of the datagram")
            number = self._ids[key] = len(self._nodes)
            self._nodes.append(key)
        return number

    def dimension(self, node: int) -> int:
        """The dimension that a node asks for; the number of dimensions for a leaf."""
        return self._nodes[node][0] if node >= 0 else len(self.sizes)

    def child(self, node: int, dimension: int, number: int) -> int:
        """What is left of a diagram for a class in a dimension that is asked for first, or not at all."""
        return self._nodes[node][1][number] if self.dimension(node) == dimension else node

    def leaves(self, node: int) -> list[int]:
        """The leaves of a diagram."""
        found: dict[int, None] = {}
        seen: set[int] = set()
        waiting = [node]
        while waiting:
            here = waiting.pop()
            if here < 0:
                found[here] = None
            elif here not in seen:
                seen.add(here)
                waiting.extend(dict.fromkeys(self._nodes[here][1]))
        return sorted(found, reverse=True)

    def combined(self, nodes: Sequence[int], result: Callable[[tuple[Hashable, ...]], Hashable]) -> int:
        """The diagram whose result is `result` of those of several diagrams."""
        return self._fold(tuple(nodes), lambda ends: self.leaf(result(tuple(map(self.value, ends)))))

    def chosen(self, root: int, parts: dict[int, int]) -> int:
        """`root` with each leaf replaced by a diagram: {leaf: diagram}."""
        order = list(parts)
        place = {leaf: at for at, leaf in enumerate(order, start=1)}
        early = {leaf: parts[leaf] for leaf in order}

        def end(ends: tuple[int, ...]) -> int:
            return ends[place[ends[0]]]

        return self._fold((root, *early.values()), end, lambda nodes: nodes[place[nodes[0]]] if nodes[0] < 0 else None)

    def _fold(
        self,
        nodes: tuple[int, ...],
        end: Callable[[tuple[int, ...]], int],
        known: Callable[[tuple[int, ...]], int | None] = lambda nodes: None,
    ) -> int:
        done: dict[tuple[int, ...], int] = {}

        def rest(here: tuple[int, ...]) -> int:
            found = done.get(here)
            if found is not None:
                return found
            found = known(here)
            if found is None:
                dimension = min(map(self.dimension, here))
                if dimension == len(self.sizes):
                    found = end(here)
                else:
                    asked = [self._nodes[n][1] if self.dimension(n) == dimension else None for n in here]
                    columns = [
                        children or (n,) * self.sizes[dimension] for children, n in zip(asked, here, strict=True)
                    ]
                    found = self.node(dimension, [rest(column) for column in zip(*columns, strict=True)])
            done[here] = found
            return found

        return rest(nodes)

    def boxes(self, root: int, wanted: Callable[[Hashable], bool]) -> Iterator[tuple[int, dict[int, frozenset[int]]]]:
        """(leaf, {dimension: classes}) for every way to a leaf that is wanted; the ways have no class in common."""
        useful: dict[int, bool] = {}

        def leads(node: int) -> bool:
            if node not in useful:
                useful[node] = (
                    wanted(self.value(node)) if node < 0 else any(map(leads, dict.fromkeys(self._nodes[node][1])))
                )
            return useful[node]

        def walk(node: int, box: dict[int, frozenset[int]]) -> Iterator[tuple[int, dict[int, frozenset[int]]]]:
            if not leads(node):
                return
            if node < 0:
                yield node, box
                return
            dimension, children = self._nodes[node]
            classes: dict[int, list[int]] = {}
            for number, child in enumerate(children):
                classes.setdefault(child, []).append(number)
            for child, numbers in classes.items():
                yield from walk(child, {**box, dimension: frozenset(numbers)})

        yield from walk(root, {})

    def count(self, root: int, wanted: Callable[[Hashable], bool]) -> int:
        """How many boxes `boxes` would give."""
        found: dict[int, int] = {}

        def ways(node: int) -> int:
            if node not in found:
                found[node] = (
                    int(wanted(self.value(node))) if node < 0 else sum(map(ways, dict.fromkeys(self._nodes[node][1])))
                )
            return found[node]

        return ways(root)
