"""A plan from whatever a model wrote: one that can be carried out, or a ValueError, and nothing else."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.answer import TITLED
from app.conversation.modes.best_of.judge import VERDICT
from app.conversation.modes.consultation.plan import Plan, plan_shape

SHAPE = plan_shape(4, with_models=True)

fields = st.sampled_from(["need", "reason", "specialists", "role", "question", "model"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=12,
)


@given(values | st.fixed_dictionaries({"need": st.just(True), "specialists": values}))
def test_any_json_is_a_plan_or_a_value_error(value):
    try:
        plan = SHAPE.parse(json.dumps(value))
    except ValueError:
        return
    assert isinstance(plan, Plan)
    assert plan.need == bool(plan.specialists)
    assert len(plan.specialists) <= 4
    assert all(one.role.strip() for one in plan.specialists)


@given(st.text(max_size=80), st.sampled_from([SHAPE, VERDICT, TITLED]))
def test_any_words_are_read_or_a_value_error(text, shape):
    for written in (text, "{" + text, '{"need": true, "specialists": [' + text):
        with contextlib.suppress(ValueError):
            shape.parse(written)


@pytest.mark.parametrize(
    "text", ["{" * 100_000, '{"a":' * 50_000, '{"message": "' + 'он "да" ' * 20_000]
)
def test_what_would_take_long_to_mend_is_refused(text):
    started = time.process_time()
    with pytest.raises(ValueError, match="too long"):
        TITLED.parse(text)
    assert time.process_time() - started < 2


def test_the_schema_has_the_decision_first_and_models_only_where_they_can_be_chosen():
    schema = SHAPE.schema.schema
    assert next(iter(schema["properties"])) == "need"
    assert "model" in SHAPE.example
    assert "model" not in plan_shape(4, with_models=False).example
