"""The panel and the pickers show the options and the catalogue as they are."""

from dataclasses import replace

from app.conversation.modes import MODES
from app.core.errors import ServerUnavailable
from app.core.models import Capability, LoadState, ModelProfile, ModelRef, ServerState
from app.core.options import CHAT_OPTIONS, UNSET, ChatOptions
from app.core.turns import now
from app.view.chainlit.dicts import Select
from app.view.model_labels import model_label, troubles
from app.view.panels import pickers, widgets

GEMMA = ModelProfile(
    ModelRef("ollama", "gemma2:2b"),
    size_bytes=1_629_518_495,
    load=LoadState(100, 100, 4096, None),
    local=True,
)
UP = ServerState("ollama", "ollama", "http://localhost:11434", True, (GEMMA,), checked_at=now())
THINKER = ModelProfile(
    ModelRef("ollama", "qwen3"),
    frozenset({Capability.COMPLETION, Capability.THINKING}),
    efforts=("low", "medium", "high"),
)
THINKS = {"model": str(THINKER.ref)}
DOWN = ServerState("gpu2", "ollama", "http://gpu2", True, error=ServerUnavailable("refused"))


def test_a_model_is_shown_with_its_size_and_where_it_is_loaded():
    assert model_label(GEMMA, "en", with_server=False) == "gemma2:2b (1.6 GB) ● loaded on GPU"
    assert model_label(GEMMA, "ru", with_server=False) == "gemma2:2b (1,6 ГБ) ● загружена на GPU"


def test_a_dead_server_is_named_with_the_reason_and_hides_nobody():
    assert troubles([UP, DOWN], "en") == "⚠ The server gpu2 does not answer"
    panel = widgets({"model": "ollama/gemma2:2b"}, MODES[0], [UP, DOWN], "en")
    select = next(widget for widget in panel if widget.id == "model").to_dict()
    assert [item["value"] for item in select["items"]] == ["ollama/gemma2:2b"]


def test_a_list_of_models_says_what_none_chosen_means():
    modes = {mode.id: mode for mode in MODES}
    for mode, option, said in (
        ("consultation", "consultation_model", "Как у разговора"),
        ("best_of", "best_of_judge", "Другая локальная, если есть"),
    ):
        panel = widgets({}, modes[mode], [UP], "ru")
        select = next(widget for widget in panel if widget.id == option).to_dict()
        assert select["items"][0] == {"label": said, "value": UNSET}


def test_what_may_be_chosen_begins_with_a_capital_in_every_language():
    options = [*CHAT_OPTIONS, *(option for mode in MODES for option in mode.options)]
    named = [choice.label for option in options for choice in option.choices]
    named += [option.unset for option in options if option.unset]
    assert [
        text for text in named for words in (text.ru, text.uk, text.en) if words[0].islower()
    ] == []


def test_every_option_is_in_the_panel_in_every_language():
    up = replace(UP, models=(GEMMA, THINKER))
    for language in ("ru", "uk", "en"):
        panel = widgets(THINKS, MODES[0], [up], language)
        assert [widget.id for widget in panel] == [
            option.id for option in CHAT_OPTIONS if option.group != "tools"
        ]


def test_every_option_of_a_mode_is_in_the_panel_but_participants_who_have_a_form():
    for mode in MODES:
        shown = {widget.id for widget in widgets({}, mode, [UP], "uk")}
        assert {o.id for o in mode.options} - shown <= {
            "dialogue_participants",
            "council_members",
            "compare_models",
            "consultation_members",
        }


def test_no_list_holds_an_empty_value_which_would_break_the_page():
    for states in ([], [UP, DOWN]):
        for mode in MODES:
            for widget in widgets({}, mode, states, "ru"):
                assert "" not in (getattr(widget, "items", None) or {}).values(), widget.id


def test_a_model_unset_in_an_open_panel_adds_no_dash_to_the_list():
    for widget in widgets({"summary_model": "-"}, MODES[0], [UP], "ru"):
        if isinstance(widget, Select) and widget.id == "summary_model":
            assert "-" not in (widget.items or {})
            assert widget.initial_value == "-"


def test_nothing_chosen_in_a_list_is_nothing():
    assert ChatOptions.clean({"model": UNSET, "summary_model": UNSET}, "chat").text("model") == ""


def test_an_option_that_needs_a_switch_is_disabled_without_it():
    def disabled(values):
        panel = widgets(values, MODES[0], [UP], "en")
        return next(w.disabled for w in panel if w.id == "compress_system_prompt")

    assert disabled({"compress_context": False})
    assert not disabled({"compress_context": True})


def test_the_pickers_offer_the_modes_and_the_models_with_the_present_choice():
    options = ChatOptions.clean({"model": "ollama/gemma2:2b"}, "chat")
    mode, model = pickers(options, MODES, [UP, DOWN], "en")
    assert [option.id for option in mode.options if option.default] == ["chat"]
    assert [option.id for option in model.options if option.default] == ["ollama/gemma2:2b"]


def test_the_chosen_model_stays_in_the_picker_while_its_server_does_not_answer():
    options = ChatOptions.clean({"model": f"{DOWN.name}/far:7b"}, "chat")
    for states in ([UP, DOWN], [DOWN]):
        _, model = pickers(options, MODES, states, "en")
        assert [option.id for option in model.options if option.default] == [f"{DOWN.name}/far:7b"]
    _, none = pickers(ChatOptions.clean({}, "chat"), MODES, [DOWN], "en")
    assert [option.id for option in none.options] == [UNSET]


def test_stored_choices_that_no_longer_fit_fall_back():
    options = ChatOptions.clean(
        {"temperature": 9, "max_tokens": "many", "answer_cache": "gone", "structured": "yes"},
        "chat",
    )
    assert options.number("temperature") == 2.0
    assert options.number("max_tokens") == 0
    assert options.text("answer_cache") == "off"
    assert not options.on("structured")


def test_how_much_to_think_is_asked_where_the_model_thinks_and_only_what_it_can_be_told():
    def offered(model, *models):
        panel = widgets({"model": str(model.ref)}, MODES[0], [replace(UP, models=models)], "en")
        found = [widget.to_dict() for widget in panel if widget.id == "thinking"]
        return [item["value"] for widget in found for item in widget["items"]]

    most = replace(THINKER, efforts=("low", "medium", "high", "max"))
    assert offered(GEMMA, GEMMA, THINKER) == []
    assert offered(THINKER, GEMMA, THINKER) == ["auto", "none", "low", "medium", "high"]
    assert offered(most, most)[-1] == "max"
