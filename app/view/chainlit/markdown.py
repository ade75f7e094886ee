"""How Chainlit's page reads Markdown, changed in the script that it is made of. Pure; pages.py serves it."""

import re
from collections.abc import Mapping
from pathlib import Path

FORMULAS = Path(__file__).with_name("formulas.js")
PACE = Path(__file__).with_name("pace.js")
_NAME = "[A-Za-z_$][\\w$]*"
READING = re.compile(
    rf"let (?P<all>{_NAME})=\[(?P<cursor>{_NAME}),(?P<gfm>{_NAME}),(?P<directives>{_NAME}),(?P<alerts>{_NAME})\];"
    rf"return (?P<latex>{_NAME})&&\((?P=all)=\[\.\.\.(?P=all),(?P<math>{_NAME})\]\)"
)
"""What Markdown is read by: the plugins of remark, in the bundle's short names."""
DRAWING = re.compile(
    rf"(?P<latex>{_NAME})&&\((?P<all>{_NAME})=\[(?P<katex>{_NAME}),\.\.\.(?P=all)\]\)"
)
"""Where KaTeX is put among the plugins of rehype: the last such place before READING."""


EDITING = re.compile(
    rf'className:"(?:edit-message ml-auto invisible group-hover:visible|confirm-edit)",'
    rf"(?:onClick:\(\)=>\{{[^{{}}]*\}},)?disabled:(?P<disabled>{_NAME}),"
)
"""The buttons that begin and end an edit."""


def with_edits_at_any_time(script: str) -> str:
    """The script with questions that may be edited while an answer is being written. Raises LookupError
    where the script is not of the Chainlit that this was made for."""
    if len(EDITING.findall(script)) != 2:
        raise LookupError("Chainlit's script edits questions in another way than is known")
    return EDITING.sub(
        lambda at: at[0].replace(f"disabled:{at['disabled']}", "disabled:!1"), script
    )


ANY_FILE = re.compile(r"\|\|\{(?:\"\w+/\*\":\[\],?)+\}\}\},\[")
"""The files that a page takes until it knows the settings, in words that its own library complains of."""


def with_any_file_at_first(script: str) -> str:
    """The script with a page that takes any file until it has the settings: it said in the console that
    `application/*` is no type. Raises LookupError where the script is of another Chainlit."""
    made, count = ANY_FILE.subn("||{}}},[", script)
    if count != 1:
        raise LookupError("Chainlit's script takes files in another way than is known")
    return made


REFUSED = re.compile(
    rf"(?P<head>(?<![\w$])(?P<e>{_NAME}) instanceof (?P<own>{_NAME})&&\((?P=e)\.status===401&&this\.on401&&this\.on401\(\),"
    r"this\.onError&&this\.onError\((?P=e)\)\),)console\.error\((?P=e)\)"
)
"""Where an answer that refuses is told of."""
UNDESCRIBED = re.compile(
    rf"(?<![\w$])(?P<of>{_NAME})(?P<rest>\.current\)==null\?void 0:{_NAME}\.getAttribute\(\"aria-describedby\"\);"
    rf"{_NAME}&&{_NAME}&&\(document\.getElementById\({_NAME}\)\|\|)console\.warn\({_NAME}\)"
)
"""Where a dialog speaks of a description that it has not."""


def with_a_quiet_console(script: str) -> str:
    """The script that says in the console only what somebody has to mend: that one is not signed in, or
    whatever else the server refuses, the page shows; and a dialog without a description speaks of none.
    Raises LookupError where the script is of another Chainlit."""
    script, refused = REFUSED.subn(
        r"\g<head>(\g<e> instanceof \g<own>)||console.error(\g<e>)", script
    )
    script, undescribed = UNDESCRIBED.subn(
        r'\g<of>\g<rest>\g<of>.current.removeAttribute("aria-describedby")', script
    )
    if (refused, undescribed) != (1, 1):
        raise LookupError("Chainlit's script complains in another way than is known")
    return script


DIALOG_TITLE = re.compile(
    rf"(?P<made>(?<![\w$]){_NAME}\.jsx\({_NAME}),\{{className:\"sr-only\",children:\"View PDF\"\}}\)"
)
SIDEBAR = re.compile(
    r"(?P<head>\"data-mobile\":\"true\",)(?P<rest>className:[^()]*\.jsx\(\"div\",\{className:\"flex h-full w-full flex-col\",children:)"
    rf"(?P<child>{_NAME})\}}"
)
SIDE_TITLE = re.compile(
    rf'(?P<head>(?<![\w$]){_NAME}\.jsx\({_NAME},\{{)id:"side-view-title",children:'
)
"""The heading of the side view of a phone, which names its dialog, but not by that id."""
PICTURE = re.compile(
    r"(?P<head>className:\"border-none bg-transparent shadow-none max-w-none p-0 max-h-screen[^()]*\.jsxs\(\"div\",\{[^()]*children:\[)"
)
"""The two dialogs without a name: the side bar of a phone, and an enlarged picture."""


def with_named_dialogs(script: str) -> str:
    """The script with a name for the dialogs that have none, of which their library complains. Raises
    LookupError where the script is of another Chainlit."""
    found = DIALOG_TITLE.search(script)
    placed = (SIDEBAR, SIDE_TITLE, PICTURE)
    if found is None or any(len(one.findall(script)) != 1 for one in placed):
        raise LookupError("Chainlit's script draws dialogs in another way than is known")
    name = f'{found["made"]},{{className:"sr-only",children:"Konsilium"}})'
    script = SIDEBAR.sub(lambda at: f"{at['head']}{at['rest']}[{name},{at['child']}]}}", script)
    script = SIDE_TITLE.sub(r"\g<head>children:", script)
    return PICTURE.sub(lambda at: f"{at['head']}{name},", script)


FIGURE = re.compile(
    rf'(?P<head>typeof (?P<of>{_NAME})\.count=="number"\?{_NAME}\.jsx\({_NAME},\{{variant:"outline",className:"ml-auto",children:)(?P=of)\.count'
)
"""Where a slider says its number."""


def with_figures_as_one_writes_them(script: str) -> str:
    """The script whose sliders say 0,7 where people write so. Raises LookupError where the script is of
    another Chainlit."""
    made, count = FIGURE.subn(
        r"\g<head>\g<of>.count.toLocaleString(document.documentElement.lang||void 0)", script
    )
    if count != 1:
        raise LookupError("Chainlit's script draws sliders in another way than is known")
    return made


MOMENTS = (
    re.compile(rf'"data-step-type":(?P<what>{_NAME})\.type,'),
    re.compile(rf"id:`thread-\$\{{(?P<what>{_NAME})\.id\}}`,"),
    re.compile(rf'className:"line-clamp-2",(?=children:(?P<what>{_NAME})\.name\|\|)'),
)
"""Where a message, a chat of the list and one that a search has found are drawn."""


def with_moments(script: str) -> str:
    """The script with the moment of each message and each chat in the page, and with the words around
    what a search has found: times.js shows them. Raises LookupError where it is of another Chainlit."""
    for place in MOMENTS:
        added = r'\g<0>"data-k-time":\g<what>.createdAt,"data-k-excerpt":(\g<what>.metadata||{}).excerpt,'
        script, count = place.subn(added, script)
        if count != 1:
            raise LookupError(
                "Chainlit's script draws messages and chats in another way than is known"
            )
    return script


CODE = re.compile(
    rf'className:"text-sm text-muted-foreground",(?=children:\((?P<language>{_NAME})==null\?void 0:(?P=language)\[1\]\)\|\|"(Raw code)"\}}\),{_NAME}\.jsx\({_NAME},\{{content:(?P<code>{_NAME})\}}\))'
)
"""The heading of a block of code."""


def with_code_facts(script: str) -> str:
    """The script with the language of each block of code and its number of lines in the page, for code.js,
    and no English words where it has none. Raises LookupError where it is of another Chainlit."""
    added = (
        r'\g<0>"data-k-language":\g<language>?\g<language>[1].toLowerCase():"",'
        r'"data-k-lines":(\g<code>||"").replace(/\\n$/,"").split("\\n").length,'
    )
    made, count = CODE.subn(added, script)
    if count != 1:
        raise LookupError("Chainlit's script draws code in another way than is known")
    return made.replace('||"Raw code"', '||""')


MICROPHONE = re.compile(
    rf"\}}else (?P<end>await {_NAME}\.end\(\)),(?P<quiet>await {_NAME}\.interrupt\(\));"
)
"""What the page does where it is told not to record."""
HOTKEY = re.compile(r'\("p",(?=\(\)=>\{if\(!)')


def with_resting_microphone(script: str) -> str:
    """The script whose button rests again where nothing was recorded: it stayed at "connecting", since a
    recording that had not begun could not end. And a letter alone records nobody. Raises LookupError
    where the script is of another Chainlit."""
    script, ends = MICROPHONE.subn(r"}else{try{\g<end>}catch{}\g<quiet>}", script)
    script, keys = HOTKEY.subn('("alt+shift+p",', script)
    if (ends, keys) != (1, 1):
        raise LookupError("Chainlit's script records in another way than is known")
    return script


SELECT = re.compile(
    rf"(?P<before>value:(?P<value>{_NAME})==null\?void 0:(?P=value)\.toString\(\),"
    rf"onValueChange:(?P<new>{_NAME})=>\{{(?P<set>{_NAME}\((?P=new)\),(?P<put>{_NAME})==null\|\|(?P=put)\((?P<id>{_NAME}),(?P=new)\))\}},"
    rf"children:\[{_NAME}\.jsx\({_NAME},\{{id:(?P=id),className:{_NAME},)"
    rf"(?P<after>children:{_NAME}\.jsx\({_NAME},\{{placeholder:{_NAME}\}}\)\}}\),{_NAME}\.jsx\({_NAME},\{{children:(?P<items>{_NAME})\.map\()"
)
"""A list to choose from in the settings panel."""


def with_open_selects(script: str) -> str:
    """The script whose lists of the panel tell what they hold, and are set from outside: models.js opens
    its own list of models in their place. Raises LookupError where the script is of another Chainlit."""
    made, count = SELECT.subn(
        lambda at: (
            f"{at['before']}ref:k=>{{k&&(k.konsilium={{items:{at['items']},value:{at['value']},"
            f"set:{at['new']}=>{{{at['set']}}}}})}},{at['after']}"
        ),
        script,
    )
    if count != 1:
        raise LookupError("Chainlit's script chooses from lists in another way than is known")
    return made


STEADY: Mapping[re.Pattern[str], str] = {
    # The elements of Markdown were drawn by functions made anew for each word...
    re.compile(
        rf"(?P<head>refElements:(?P<refs>{_NAME}),className:{_NAME},children:{_NAME}\}}\)=>\{{const (?P<client>{_NAME})=(?P<react>{_NAME})\.useContext\({_NAME}\));"
        rf"(?P<between>if\({_NAME}===!1\).{{0,900}}?,components:)(?P<parts>\{{\.\.\.{_NAME},code\(.{{0,1000}}?=)(?P=refs)==null\?void 0:(?P=refs)(?P<more>\.find\("
        rf".{{0,5000}}?\.Alert\(\{{variant:{_NAME},children:{_NAME}\}}\)\}}\}}),children:"
    ): r"\g<head>,konsiliumRefs=\g<react>.useRef();konsiliumRefs.current=\g<refs>;\g<between>"
    r"\g<react>.useMemo(()=>(\g<parts>konsiliumRefs.current?\g<more>),[\g<client>]),children:",
    # ... and so code was coloured once and for all...
    re.compile(
        rf"\.useEffect\((?P<color>\(\)=>\{{(?P<ref>{_NAME})\.current&&\((?P=ref)\.current\.)getAttribute\(\"data-highlighted\"\)===\"yes\"\|\|"
        rf"(?P<end>{_NAME}\.highlightElement\((?P=ref)\.current\)\)\}}),\[\]\)(?=.{{0,120}}`language-\$\{{(?P<language>{_NAME})\}}.{{0,60}}children:(?P<code>{_NAME})\}})"
    ): r'.useLayoutEffect(\g<color>removeAttribute("data-highlighted"),\g<end>,[\g<language>,\g<code>])',
    # ... with every word that came.
    re.compile(
        rf"\.on\(\"stream_token\",\(\{{id:(?P<id>{_NAME}),token:(?P<token>{_NAME}),isSequence:(?P<whole>{_NAME}),isInput:(?P<input>{_NAME})\}}\)=>"
        rf"(?P<draw>\{{{_NAME}\({_NAME}=>{_NAME}\({_NAME},(?P=id),(?P=token),(?P=whole),(?P=input)\)\)\}})\)(?=,(?P<socket>{_NAME})\.on\()"
    ): r'.on("stream_token",konsiliumPaced(\g<socket>,(\g<id>,\g<token>,\g<whole>,\g<input>)=>\g<draw>))',
}
"""What takes a whole answer away and makes it anew with every word of it."""


def with_steady_answers(script: str, pace: str) -> str:
    """The script that draws of an answer what is new, at the page's own pace (`pace`: pace.js). Raises
    LookupError where the script is of another Chainlit."""
    for place, steady in STEADY.items():
        script, count = place.subn(steady, script)
        if count != 1:
            raise LookupError("Chainlit's script draws answers in another way than is known")
    return pace + script


def with_formulas(script: str, formulas: str) -> str:
    """The script with `formulas` (formulas.js) in the place of remark's own plugin. A single tilde strikes
    nothing out (`5~10`), a colon before a word is no directive (`nginx:latest` lost its second half), a
    formula that KaTeX cannot read stands there as it was written, and none is larger than a page.

    Raises LookupError where the script is not of the Chainlit that this was made for.
    """
    read = READING.search(script)
    before = list(DRAWING.finditer(script, read.start() - 400, read.start())) if read else []
    if read is None or not before:
        raise LookupError("Chainlit's script reads Markdown in another way than is known")
    drawn = before[-1]
    katex = '{strict:!1,errorColor:"inherit",maxSize:40,maxExpand:500}'
    return "".join(
        (
            formulas,
            script[: drawn.start()],
            f"{drawn['latex']}&&({drawn['all']}=[[{drawn['katex']},{katex}],...{drawn['all']}])",
            script[drawn.end() : read.start()],
            f"let {read['all']}=[{read['cursor']},[{read['gfm']},{{singleTilde:!1}}],{read['alerts']}];"
            f"return {read['latex']}&&({read['all']}=[...{read['all']},konsiliumFormulas])",
            script[read.end() :],
        )
    )
