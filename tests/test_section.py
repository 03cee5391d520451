import pytest
from pydantic import Field

from sketchy.section import AsPath, Embedding, Fixed, Free, Role, Section


class Example(Section):
    free: Free[int] = Field(3, ge=1)
    fixed: Fixed[tuple[str, ...]] = ()
    embedding: Embedding[float | None] = None
    path: AsPath[bool | str] = False


def test_a_section_lists_its_settings_by_role():
    assert Example.names(Role.FREE) == {"free"}
    assert Example.names(Role.FIXED, Role.EMBEDDING) == {"fixed", "embedding"}
    assert Example.names(*Role) == set(Example.model_fields)
    assert Example.names() == set()


def test_a_role_does_not_change_the_type_of_a_setting():
    made = Example.model_validate({"free": "7", "fixed": ["a"], "path": "b"})
    assert made == Example(free=7, fixed=("a",), embedding=None, path="b")
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Example(free=0)


def test_a_setting_without_a_role_cannot_be_declared():
    with pytest.raises(TypeError, match=r"Forgotten\.size needs one of Free, Fixed, Embedding and AsPath"):

        class Forgotten(Section):
            size: int = 3


def test_a_setting_has_one_role_only():
    with pytest.raises(TypeError, match=r"Torn\.size needs one of"):

        class Torn(Section):
            size: Free[Fixed[int]] = 3


@pytest.mark.parametrize("wrong", [{"fre": 1}, {"embedding": float("nan")}])
def test_unknown_keys_and_numbers_that_are_not_finite_are_refused(wrong):
    with pytest.raises(ValueError, match=r"Extra inputs|finite"):
        Example.model_validate(wrong)
