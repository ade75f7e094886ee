"""The colours of the house, for the pages that are not Chainlit's."""

import json


def theme_css(theme: str) -> str:
    """The variables of `theme` (public/theme.json) as a style sheet; `.dark` on the root has the dark ones."""
    variables = json.loads(theme)["variables"]

    def rules(name: str) -> str:
        return "".join(f"{key}:{value};" for key, value in variables[name].items())

    return f":root{{{rules('light')}}}.dark{{{rules('dark')}}}"
