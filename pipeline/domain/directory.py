"""Who goes on for whom after merges (rule 17): one order for all aliases, so that they converge.

One union-find over userIds, in one partition, a node an entity: opposite and circular aliases meet
here one after the other, and the second finds that they are one already.
"""

from pipeline.domain.entities import Node
from pipeline.domain.messages import Aliased, Merge, Message
from pipeline.domain.refs import Ref
from pipeline.domain.turn import Turn


def take(message: Message, turn: Turn) -> None:
    """Merge the person of the previous id into that of the other, unless they are one."""
    if not isinstance(message, Aliased):
        raise TypeError(type(message))
    source, target = _root(message.previous, turn), _root(message.user_id, turn)
    if source != target:
        turn.changed[Ref("directory", source)] = Node(target)
        turn.tell(Ref("person", source), Merge(target))


def _root(user_id: str, turn: Turn) -> str:
    path = []
    here = user_id
    while (node := turn.node(here)) is not None:
        path.append(here)
        here = node.parent
    for passed in path[:-1]:
        turn.changed[Ref("directory", passed)] = Node(here)
    return here
