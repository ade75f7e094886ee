"""Chainlit's page with conversations of a thousand messages, changed in the script that it is made of.

Its script took seconds for what grows with the square of a conversation: for each message it made a pattern
of the names of all elements, for each step it looked through all others for its parent, and each card on the
page was fetched, and its JSX translated, anew. Pure; pages.py serves it.
"""

import re
from collections.abc import Mapping
from pathlib import Path

LONG_THREADS = Path(__file__).with_name("long_threads.js")
_NAME = "[A-Za-z_$][\\w$]*"

CHANGES: Mapping[re.Pattern[str], str] = {
    # A card's JSX is translated once for all cards of its kind...
    re.compile(
        rf"(?P<head>const {_NAME}=)(?P<make>(?P<code>{_NAME})=>{_NAME}\((?P=code),\{{transforms:\[\"jsx\",\"typescript\",\"imports\"\],production:!0\}}\)\.code\.substring\(13\))"
    ): r"\g<head>konsiliumLong.once(\g<make>)",
    # ... made a function once...
    re.compile(
        rf"new Function\(\.\.\.(?P<names>{_NAME}),(?P<code>{_NAME})\)(?=\(\.\.\.{_NAME}\)\}})"
    ): (r"konsiliumLong.compiled(\g<names>,\g<code>)"),
    # ... and fetched once, so that the next is there with its message.
    re.compile(
        rf"(?P<state>\[{_NAME},(?P<set>{_NAME})\]={_NAME}\.useState\()(?P<between>\),\[{_NAME},{_NAME}\]={_NAME}\.useState\(\);{_NAME}\.useEffect\(\(\)=>\{{)"
        rf"(?P<client>{_NAME})\.get\(`/public/elements/\$\{{(?P<element>{_NAME})\.name\}}\.jsx`\)\.then\(async {_NAME}=>(?P=set)\(await {_NAME}\.text\(\)\)\)"
    ): r"\g<state>()=>konsiliumLong.code(\g<element>.name)\g<between>konsiliumLong.fetched(\g<element>.name,\g<client>).then(\g<set>)",
    # Words are searched for the names of the elements that hang on their message: others made no link.
    re.compile(
        rf"(?P<head>=\(\{{elements:(?P<all>{_NAME}),content:{_NAME},id:(?P<id>{_NAME}),language:{_NAME}\}}\)=>\{{)(?=const {_NAME}=(?P=all)\.map\()"
    ): r"\g<head>\g<all>=konsiliumLong.own(\g<all>,\g<id>);",
    # A message is drawn again where its own elements have changed.
    re.compile(
        rf"(?P<a>{_NAME})\.elements===(?P<b>{_NAME})\.elements(?=&&{_NAME}\.isEqual\((?P=a)\.sections\?\?)"
    ): r"konsiliumLong.same(\g<a>.elements,\g<b>.elements,\g<a>.message.id)",
    # The tree of a thread is made in one walk: of an opened one...
    re.compile(
        rf"let (?P<tree>{_NAME})=\[\];for\(let (?P<one>{_NAME}) of (?P<data>{_NAME})\.steps\)(?P=tree)={_NAME}\((?P=tree),(?P=one)\);"
    ): r"let \g<tree>=konsiliumLong.nested(\g<data>.steps);",
    # ... and of one that is shared.
    re.compile(
        rf"(?<![\w$])(?P<name>{_NAME})=(?P<steps>{_NAME})=>\{{let (?P<tree>{_NAME})=\[\];for\(let (?P<one>{_NAME}) of (?P=steps)\)(?P=tree)={_NAME}\((?P=tree),(?P=one)\);return (?P=tree)\}}"
    ): r"\g<name>=\g<steps>=>konsiliumLong.nested(\g<steps>)",
    # Another branch comes as the part that is different.
    re.compile(
        rf"(?P<socket>{_NAME})\.on\(\"update_message\",(?=(?P<data>{_NAME})=>\{{(?P<messages>{_NAME})\()(?=.{{0,3000}}?\.on\(\"remove_element\",{_NAME}=>\{{(?P<elements>{_NAME})\()"
    ): r'\g<socket>.on("konsilium_branch",konsiliumLong.branch(\g<messages>,\g<elements>,\g<socket>)),\g<0>',
    # A turn is drawn where it is looked at.
    re.compile(
        rf"(?P<head>=(?P<react>{_NAME})\.memo\(\(\{{messages:[^{{}}]*\}}\)=>\{{.{{0,400}}?return {_NAME}\.jsx\({_NAME}\.Fragment,\{{children:)(?P<all>{_NAME})\.map\((?P<message>{_NAME})=>\{{"
        rf"(?P<between>var {_NAME};if\({_NAME}\.includes\((?P=message)\.name\)\).{{0,900}}?return {_NAME}\.jsx\()(?P<drawn>{_NAME}),\{{message:(?P=message)(?=,elements:{_NAME},actions:)"
    ): r"\g<head>konsiliumLong.list(\g<react>,\g<all>,(\g<message>,konsiliumLast)=>{\g<between>"
    r'konsiliumLong.turn(\g<react>,\g<drawn>),{messages:[\g<message>],last:konsiliumLast||\g<message>.type!=="user_message"',
}
"""What grew with the square of a conversation, and what stands there instead."""


def with_long_threads(script: str, long_threads: str) -> str:
    """The script that draws a turn where it is looked at, and for each message looks only at what belongs
    to it (`long_threads`: long_threads.js). Raises LookupError where the script is of another Chainlit."""
    for place, quick in CHANGES.items():
        script, count = place.subn(quick, script)
        if count != 1:
            raise LookupError(
                "Chainlit's script draws long conversations in another way than is known"
            )
    return long_threads + script
