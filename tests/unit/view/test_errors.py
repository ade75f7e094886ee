"""Every error of the tree has words in three languages."""

from app.core import errors
from app.core.text import LANGUAGES
from app.view.errors import ADVICE, advice_for, join_failed


def tree(root=errors.KonsiliumError):
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_every_error_of_the_tree_has_words():
    assert {error.code for error in tree()} <= set(ADVICE)


def test_words_are_whole_in_every_language():
    for code in ADVICE:
        for language in LANGUAGES:
            words = advice_for({"code": code, "server": "s", "model": "m"}, language)
            assert "{" not in words["title"] + words["text"]


def test_what_is_mended_in_the_panel_of_servers_leads_there():
    assert advice_for({"code": "wrong_key", "server": "lab"}, "uk")["servers"]
    assert not advice_for({"code": "empty_answer"}, "uk")["servers"]


def test_a_server_that_was_not_kept_is_told_with_its_address_and_the_field_that_is_wrong():
    down = join_failed(errors.ServerUnavailable("refused"), "en", "http://127.0.0.1:9/v1")
    assert down == "Nobody answers at that address: http://127.0.0.1:9/v1"
    fields = ("name", "url", "path", "former", "DEEPSEEK_API_KEY", "another")
    said = {join_failed(errors.SettingsInvalid(name, "wrong"), "ru") for name in fields}
    assert len(said) == len(fields)
    wrong = errors.KeyUnusable("DEEPSEEK_API_KEY", "no Latin letter", 7)
    assert "character 7" in join_failed(wrong, "en")


def test_an_ollama_that_is_down_says_how_to_start_it():
    words = advice_for({"code": "server_unavailable", "server": "ollama"}, "ru", ollama=True)
    assert (words["title"], words["command"]) == ("Ollama не запущена", "ollama serve")


def test_who_never_had_an_ollama_is_not_told_of_it():
    for language in LANGUAGES:
        words = advice_for({"code": "no_models"}, language)
        assert words["servers"]
        assert words["command"] is None
        assert "ollama" not in (words["title"] + words["text"]).lower()
    assert advice_for({"code": "no_models"}, "en", ollama=True)["command"].startswith("ollama pull")


def test_a_picture_before_a_model_that_sees_none_may_be_shown_to_another():
    blind = {"reason": "no_vision", "facts": {"name": "a.png", "model": "gemma2:2b"}}
    [way] = advice_for({"code": "attachment_refused", **blind}, "en")["actions"]
    assert (way["name"], way["other_model"]) == ("retry", True)
    empty = advice_for(
        {"code": "attachment_refused", "reason": "empty", "facts": {"name": "a"}}, "en"
    )
    assert (empty["text"], empty["retry"]) == ("“a” is empty.", False)


def test_a_cloud_model_shows_where_to_sign_in_and_only_a_web_address_is_a_link():
    words = advice_for({"code": "sign_in_needed", "url": "https://ollama.com/connect?key=x"}, "uk")
    assert (words["command"], words["link"]) == (
        "ollama signin",
        "https://ollama.com/connect?key=x",
    )
    words = advice_for({"code": "sign_in_needed", "url": "javascript:alert(1)"}, "uk")
    assert words["link"] is None


def test_a_wait_and_names_alike_are_told():
    words = advice_for({"code": "rate_limited", "server": "x", "retry_after": 7}, "en")
    assert words["text"].endswith("wait. Try again in 7 s.")
    words = advice_for({"code": "server_busy", "server": "x"}, "en")
    assert words["text"].endswith("full. Try again a little later.")
    words = advice_for({"code": "model_not_found", "model": "gema", "near": ["gemma"]}, "en")
    assert words["text"].endswith("Alike: gemma.")
