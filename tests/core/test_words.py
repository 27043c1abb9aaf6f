"""What all layers say about settings, found by key."""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel
from pydantic import Field as Declared

from oneiric.core.values import Field
from oneiric.core.words import Speaker, Words
from tests.core.sayings import STORE, field, layer, words


class Server(BaseModel):
    """A model whose fields have other names outside."""

    host: str = Declared("h", validation_alias="HOST_NAME")
    port: int = Declared(1, validation_alias=AliasChoices("portNumber", "p"))
    maxItems: int = 5  # a name that a variable cannot spell


class Plain(BaseModel):
    """A model whose fields are called the same everywhere."""

    host: str = "h"


def about(heard: Words, one: Field) -> list[tuple[int, str]]:
    """Return who speaks about exactly a setting, and what."""
    return [(position, said.value) for position, said in heard.about(one)]


def test_who_speaks_about_a_setting_is_found_by_its_key_low_to_high() -> None:
    """Other keys that begin alike are others."""
    heard = words(
        layer("profile", {"x.host": "p", "x.hosts": "no"}), layer("manifest", {}), layer("env", {"x.host": "e"})
    )

    assert about(heard, field(Plain, "x.host")) == [(0, "p"), (2, "e")]


def test_what_is_said_below_a_setting_comes_with_the_path_below_it() -> None:
    """A part in quotes keeps its dots."""
    heard = words(layer("profile", {"x.map": {"a": {"b": 1}, "example.org": 2}, "x.maps.a": 3}))

    assert sorted((path, said.value) for _, path, said in heard.below(Field("x.map", dict))) == [
        (("a", "b"), 1),
        (("example.org",), 2),
    ]


def test_only_variables_are_heard_under_the_spelling_of_variables() -> None:
    """A file can write the key as it is, and a key in another case is another key there."""
    spelled = Field("my-app.maxItems", int, spelled="my_app.maxitems")
    heard = words(
        layer("profile", {"my_app.maxitems": 1}),
        layer("manifest", {"my-app.maxItems": 2}),
        layer("env", {"my_app.maxitems": "3"}),
    )

    assert about(heard, spelled) == [(1, 2), (2, "3")]


def test_what_is_said_below_is_heard_under_both_spellings() -> None:
    """In each layer under the one that it can write."""
    spelled = Field("my-app.hosts", dict, spelled="my_app.hosts")
    heard = words(layer("profile", {"my-app.hosts": {"a": 1}}), layer("env", {"my_app.hosts.b": "2"}))

    assert [(position, path, said.value) for position, path, said in heard.below(spelled)] == [
        (0, ("a",), 1),
        (1, ("b",), "2"),
    ]


def test_every_key_above_a_word_is_a_parent() -> None:
    """So that a setting with nothing below it is not searched for."""
    assert words(layer("profile", {"x.a.b": 1, "y": 2})).parents == {"x", "x.a"}


def test_a_layer_can_be_left_out() -> None:
    """All of its name, as a question of what would be without it asks."""
    heard = words(layer("profile", {"x.host": "1"}), STORE, layer("profile", {"x.host": "2"}), layer("env", {}))

    assert [speaker.layer for speaker in heard.without("profile").speakers] == ["secrets", "env"]
    assert about(heard.without("profile"), field(Plain, "x.host")) == []


def test_one_remote_speaker_makes_all_of_them_be_looked_at() -> None:
    """What a manifest that was fetched says is not taken before it was checked."""
    assert words(layer("manifest", {"x.host": "m"}, trust="remote")).has_remote
    assert not words(layer("manifest", {"x.host": "m"})).has_remote


def test_aliases_are_brought_under_the_names_of_fields() -> None:
    """In each layer by itself; what stands elsewhere stays as it is."""
    heard = words(
        layer("profile", {"x.HOST_NAME": "p", "x.other": 1, "y.HOST_NAME": "no"}), layer("env", {"x.portnumber": "7"})
    )

    found = heard.renamed("x", Server)

    assert {key: said.value for key, said in found.speakers[0].said.items()} == {
        "x.host": "p",
        "x.other": 1,
        "y.HOST_NAME": "no",
    }
    assert {key: said.value for key, said in found.speakers[1].said.items()} == {"x.port": "7"}
    assert str(found.speakers[0].said["x.host"].origin) == "profile:x.HOST_NAME"


def test_of_several_spellings_in_one_layer_the_preferred_one_counts() -> None:
    """In whatever order they were written; another layer is not touched by that."""
    for said in ({"x.p": 2, "x.portNumber": 1}, {"x.portNumber": 1, "x.p": 2}):
        found = words(layer("profile", said), layer("manifest", {"x.p": 3})).renamed("x", Server)

        assert about(found, field(Server, "x.port")) == [(0, 1), (1, 3)]


def test_words_without_an_alias_are_left_alone() -> None:
    """The same object comes back where nothing is said below the prefix, or no name differs."""
    heard = words(layer("profile", {"x.host": "p"}))

    assert heard.renamed("x", Plain) is heard
    assert heard.renamed("z", Server) is heard


def test_a_speaker_without_words_is_silent() -> None:
    """The secret store says nothing by key: it is asked for each setting."""
    assert dict(Speaker("secrets", is_store=True).said) == {}
