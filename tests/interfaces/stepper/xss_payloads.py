"""More than 200 texts that would run a script if they were taken for markup. Most combine a tag
with a text around it, so that each is a case of its own.
"""

from itertools import product

MARK = "window.__xss++"
TAGS = (
    f"<script>{MARK}</script>",
    f"<ScRiPt>{MARK}</sCrIpT>",
    f"<scr<script>ipt>{MARK}</scr</script>ipt>",
    f"<img src=x onerror={MARK}>",
    f"<img src=x onerror='{MARK}'//",
    f"<svg onload={MARK}>",
    f"<svg><script>{MARK}</script></svg>",
    f"<svg><animate onbegin={MARK} attributeName=x dur=1s>",
    f"<body onload={MARK}>",
    f"<iframe srcdoc='<script>parent.{MARK}</script>'></iframe>",
    f'<iframe src="javascript:parent.{MARK}"></iframe>',
    f"<details open ontoggle={MARK}>",
    f"<video><source onerror={MARK}></video>",
    f"<audio src=x onerror={MARK}>",
    f"<input autofocus onfocus={MARK}>",
    f"<select autofocus onfocus={MARK}>",
    f"<math><mtext></mtext><script>{MARK}</script></math>",
    f'<a href="javascript:{MARK}">x</a>',
    f'<object data="javascript:{MARK}"></object>',
    f'<embed src="javascript:{MARK}">',
    f"<style>@import 'javascript:{MARK}';</style>",
    f"<marquee onstart={MARK}>x</marquee>",
    f'<meta http-equiv=refresh content="0;url=javascript:{MARK}">',
    f'<form action="javascript:{MARK}"><input type=submit autofocus></form>',
    f"<template><script>{MARK}</script></template>",
    f"<img src=`x` onerror=`{MARK}`>",
)
AROUND = (
    "{}",
    "</pre>{}",
    "</textarea>{}",
    "</script>{}",
    "</style>{}",
    '">{}',
    "'>{}",
    "]]>{}<!--",
    "--!>{}",
)
ODD = (
    f"&lt;script&gt;{MARK}&lt;/script&gt;",
    f"&#60;img src=x onerror={MARK}&#62;",
    f"\\u003cimg src=x onerror={MARK}\\u003e",
    f"%3Cimg%20src=x%20onerror={MARK}%3E",
    f"<scr\x00ipt>{MARK}</script>",
    f"<img\x0csrc=x\x0conerror={MARK}>",
    f"\x1b]8;;javascript:{MARK}\x07x\x1b]8;;\x07",
    f"<?xml-stylesheet href='javascript:{MARK}'?><x/>",
    f'<!DOCTYPE x [<!ENTITY y "<script>{MARK}</script>">]>&y;',
    f'<svg xmlns="http://www.w3.org/2000/svg"><script>{MARK}</script></svg>',
    f'<svg xmlns="http://www.w3.org/2000/svg" onload="{MARK}"/>',
    f"</title><script>{MARK}</script>",
    f"</desc></svg><script>{MARK}</script>",
    f'" onmouseover="{MARK}" autofocus onfocus="{MARK}" x="',
    f"' onmouseover='{MARK}' autofocus onfocus='{MARK}' x='",
    f"` onfocus={MARK} autofocus `",
    f"[x](javascript:{MARK})",
    f"![x](x' onerror='{MARK})",
    f"${{{MARK}}} {{{{{MARK}}}}} <%= {MARK} %>",
    f"$\\href{{javascript:{MARK}}}{{x}}$",
    f"]]></style><script>{MARK}</script>",
    f'"}}}};{MARK};//',
    f"');{MARK};//",
    f"\u2028{MARK}\u2029",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=confirm(1)>",
    "<iframe src='javascript:parent.prompt(1)'></iframe>",
)
"""Encoded twice, cut by control characters, or for other readers: XML, Markdown, LaTeX, terminals,
templates.
"""
PAYLOADS = (*(around.format(tag) for around, tag in product(AROUND, TAGS)), *ODD)
"""Each is harmless as text and runs as markup, or would if a reader decoded it twice."""
