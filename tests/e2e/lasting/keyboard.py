"""The keyboard alone, as somebody without a mouse has it: Tab, arrows, Enter, Escape and letters."""

from playwright.sync_api import Locator, Page, expect

STOPS = 150
"""Of Tab, until a control is not to be reached."""
FOCUSED = """(control) => {
  const one = document.activeElement
  if (one === document.body) return { body: true }
  const box = one.getBoundingClientRect()
  const style = getComputedStyle(one)
  return {
    there: one === control,
    where: one.id || one.getAttribute("aria-label") || one.outerHTML.slice(0, 120),
    shown: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none"
      || one.matches("textarea, input, [cmdk-list], [role=listbox]"),
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
      && one.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
  }
}"""


def tab_to(page: Page, control: Locator, *, key: str = "Tab") -> None:
    """Walks there by Tab; every stop on the way is seen, and shows that it has the focus."""
    expect(control).to_be_visible()
    if control.evaluate("control => control === document.activeElement"):
        return
    for _ in range(STOPS):
        page.keyboard.press(key)
        at = control.evaluate(FOCUSED)
        if at.get("body"):
            continue
        assert at["seen"], f"the focus is where nobody sees it: {at['where']}"
        assert at["shown"], f"nothing shows the focus on {at['where']}"
        if at["there"]:
            return
    raise AssertionError(f"{STOPS} times {key} lead nowhere near {control}")


def choose_model(page: Page, name: str) -> None:
    """Opens the list of models, types the name, takes what is found."""
    trigger = page.locator("#mode-picker-trigger-model")
    tab_to(page, trigger)
    page.keyboard.press("Enter")
    page.keyboard.type(name)
    found = page.locator("#mode-picker-popover-model").get_by_role("option")
    expect(found.first).to_contain_text(name)
    page.keyboard.press("Enter")
    expect(trigger).to_contain_text(name)
    expect(trigger).to_be_focused()


def ask_by_keys(page: Page, words: str) -> None:
    """Goes back to the composer's field, types the question and sends it."""
    tab_to(page, page.locator("#chat-input"), key="Shift+Tab")
    page.keyboard.type(words)
    page.keyboard.press("Enter")
