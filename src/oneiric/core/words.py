"""What all layers say about settings, by key."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from oneiric.core.aliases import is_renaming, own_path
from oneiric.core.origins import split_key
from oneiric.core.sources import Said, quoted
from oneiric.core.texts import folded
from oneiric.core.values import Field

_SILENT: Mapping[str, Said] = MappingProxyType({})


class Speaker(NamedTuple):
    """One layer, and what it says by dotted key; `is_store` where it is the secret store that speaks."""

    layer: str
    said: Mapping[str, Said] = _SILENT
    trust: str = "inline"
    is_store: bool = False


class Words:
    """
    What all layers say about settings, by key.

    Args:
        speakers: The layers, low to high, without the defaults of the code.
    """

    def __init__(self, speakers: Iterable[Speaker]) -> None:
        self.speakers = tuple(speakers)
        self.by_key: dict[str, list[tuple[int, Said]]] = {}
        by_key = self.by_key
        for position, speaker in enumerate(self.speakers):
            for key, said in speaker.said.items():
                if key in by_key:
                    by_key[key].append((position, said))
                else:
                    by_key[key] = [(position, said)]
        self.has_remote = any(speaker.trust == "remote" for speaker in self.speakers)

    @cached_property
    def parents(self) -> frozenset[str]:
        """Every key below which something is said."""
        found: set[str] = set()
        for key in self.by_key:
            head = key.rpartition(".")[0]
            while head and head not in found:
                found.add(head)
                head = head.rpartition(".")[0]
        return frozenset(found)

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.by_key)

    def about(self, field: Field) -> list[tuple[int, Said]]:
        """Return who speaks about exactly this setting, low to high; a variable knows neither case nor `-`."""
        heard = self.by_key.get(field.key, [])
        if field.spelled:
            heard = sorted([*heard, *(item for item in self.by_key.get(field.spelled, ()) if item[1].text)], key=_first)
        return heard

    def below(self, field: Field) -> Iterator[tuple[int, tuple[str, ...], Said]]:
        """Yield what is said about the parts of a setting: who, the path below it, and what."""
        for key in dict.fromkeys((field.key, field.spelled or field.key)):
            if key in self.parents:
                prefix = key + "."
                start = bisect_left(self._sorted, prefix)
                for name in self._sorted[start:]:
                    if not name.startswith(prefix):
                        break
                    path = tuple(split_key(name[len(prefix) :]))
                    yield from ((n, path, said) for n, said in self.by_key[name] if key == field.key or said.text)

    def without(self, layer: str) -> Words:
        """Return the words of all other layers."""
        return Words(speaker for speaker in self.speakers if speaker.layer != layer)

    def renamed(self, prefix: str, model: Any) -> Words:
        """
        Return the words with the fields of a settings model by their own names, where an alias was written.

        Args:
            prefix: What the keys of the model stand below, such as `cache.redis`.
            model: The settings model.
        """
        if not ({prefix, folded(prefix)} & self.parents and is_renaming(model)):
            return self
        return Words(one._replace(said=_renamed(one.said, prefix, model)) for one in self.speakers)


def _renamed(said: Mapping[str, Said], prefix: str, model: Any) -> Mapping[str, Said]:
    """Return what a layer says with the fields of a model by their own names; the preferred spelling counts."""
    found: dict[str, Said] = {}
    ranks: dict[str, int] = {}
    for key, one in said.items():
        head = folded(prefix) if one.text and not key.startswith(prefix + ".") else prefix
        rank = 0
        if key.startswith(head + "."):
            own = own_path(model, split_key(key[len(head) + 1 :]), loosely=one.text)
            key, rank = ".".join((prefix, *map(quoted, own.path))), own.rank
        if rank <= ranks.get(key, rank):
            found[key], ranks[key] = one, rank
    return found


def _first(item: tuple[int, Said]) -> int:
    return item[0]
