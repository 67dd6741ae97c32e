"""The style sheet of the widget and the page: light and dark, wide and narrow."""

from typing import Final

__all__ = ["CSS", "DARK", "LIGHT"]

LIGHT: Final = """color-scheme:light;--ink:#1f2328;--dim:#4b535d;--line:#d0d7de;--paper:#fff;
--soft:#f6f8fa;
--lit:#0969da;--lit-paper:#ddf4ff;--good:#1a7f37;--bad:#cf222e;--wait:#9a6700;--box:#57606a"""
DARK: Final = """color-scheme:dark;--ink:#e6edf3;--dim:#adb5bf;--line:#3d444d;--paper:#0d1117;
--soft:#151b23;
--lit:#4493f8;--lit-paper:#0a2351;--good:#3fb950;--bad:#f85149;--wait:#d29922;--box:#8b949e"""
# How each notebook marks its theme: JupyterLab and Notebook, VS Code, Colab, marimo. Without a mark
# the system's color scheme is used.
_DARK_PAGES: Final = (
    "[data-jp-theme-light=false],.vscode-dark,.vscode-high-contrast,[theme=dark],.dark"
)
_LIGHT_PAGES: Final = "[data-jp-theme-light=true],.vscode-light,[theme=light],.light"
# Marimo draws a widget in a shadow root, from which only `:host-context` sees the page. Not every
# browser knows that selector, so its rules stand alone: an unknown one would void a whole list.

CSS: Final = f"""
.turnstepper{{{LIGHT}}}
@media(prefers-color-scheme:dark){{.turnstepper{{{DARK}}}}}
:is({_LIGHT_PAGES}) .turnstepper{{{LIGHT}}}
:is({_DARK_PAGES}) .turnstepper{{{DARK}}}
:host-context(.light) .turnstepper{{{LIGHT}}}
:host-context(.dark) .turnstepper{{{DARK}}}
.turnstepper{{color:var(--ink);background:var(--paper);font:13px/1.45 system-ui,sans-serif;
border:1px solid var(--line);
border-radius:8px;padding:12px;container-type:inline-size;box-sizing:border-box;
overflow-wrap:anywhere}}
.turnstepper *{{box-sizing:border-box}}
.turnstepper .ts-headline{{font-weight:600;margin:0 0 8px;overflow-wrap:anywhere}}
.turnstepper .ts-headline[data-mark=failed]{{color:var(--bad)}}
.turnstepper .ts-headline[data-mark=waiting]{{color:var(--wait)}}
.turnstepper .ts-headline[aria-busy=true]::after{{content:" · working…";color:var(--lit)}}
.turnstepper[data-retrying] .ts-headline[aria-busy=true]::after{{content:" · waiting…";
color:var(--wait)}}
.turnstepper .ts-pauses p{{margin:0 0 4px;padding:4px 10px;border:1px dashed var(--wait);
border-radius:6px;color:var(--wait)}}
.turnstepper .ts-bar{{display:flex;flex-wrap:wrap;gap:6px;align-items:center;margin-bottom:8px}}
.turnstepper .ts-top{{position:sticky;top:0;z-index:2;background:var(--paper);padding:4px 0}}
.turnstepper .ts-top :is(.ts-headline,.ts-bar){{margin-bottom:4px}}
.turnstepper .ts-pair{{display:flex;gap:6px;align-items:center;min-width:0}}
.turnstepper .ts-pair>*{{min-width:0}}
.turnstepper .ts-bar:empty{{display:none}}
.turnstepper .ts-bar span{{color:var(--dim)}}
.turnstepper button,.turnstepper select,.turnstepper input:not([type=range]){{font:inherit;
color:inherit;
background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:3px 9px;
min-height:28px;max-width:100%}}
.turnstepper button{{cursor:pointer;background:var(--soft)}}
.turnstepper button:disabled{{cursor:default;color:var(--dim);border-style:dashed}}
.turnstepper button:hover:enabled{{border-color:var(--lit)}}
.turnstepper button[aria-pressed=true],.turnstepper button[aria-current]{{border-color:var(--lit);
background:var(--lit-paper);font-weight:600}}
.turnstepper button.ts-primary:enabled{{background:var(--lit);border-color:var(--lit);
color:var(--paper);font-weight:600}}
.turnstepper button.ts-primary:enabled kbd{{color:inherit}}
.turnstepper button[hidden]{{display:none}}
.turnstepper .ts-rare{{display:contents}}
.turnstepper .ts-more{{display:none}}
.turnstepper kbd{{font:11px ui-monospace,Menlo,Consolas,monospace;color:var(--dim);margin-left:5px}}
.turnstepper :focus-visible{{outline:2px solid var(--lit);outline-offset:1px}}
.turnstepper input[type=range]{{width:100%;margin:2px 0 8px;accent-color:var(--lit)}}
.turnstepper :is(.ts-problem,.ts-error,.ts-next):empty{{display:none}}
.turnstepper .ts-next{{margin:2px 0 8px;padding:3px 10px;border-left:3px solid var(--lit);
background:var(--soft)}}
.turnstepper ::placeholder{{color:var(--dim);opacity:1}}
.turnstepper .ts-problem,.turnstepper .ts-error{{color:var(--bad);margin:4px 0 8px;
white-space:pre-wrap;
overflow-wrap:anywhere}}
.turnstepper .ts-problem{{border:1px solid var(--bad);border-radius:6px;padding:6px 10px}}
.turnstepper .ts-body{{display:flex;gap:16px;align-items:flex-start}}
.turnstepper .ts-graph{{flex:0 0 250px;position:sticky;
top:calc(var(--top,0px) + 8px)}}
.turnstepper .ts-graph svg{{display:block;width:auto;max-width:100%;height:auto;
max-height:min(640px,calc(100vh - var(--top,0px) - 40px));margin:0 auto}}
.turnstepper .ts-graph p{{margin:0 0 4px;color:var(--dim);overflow-wrap:anywhere}}
.turnstepper .ts-graph>summary{{display:none}}
.turnstepper details.ts-graph{{border:0;padding:0}}
.turnstepper .ts-bar [data-action=undo],.turnstepper .ts-bar [data-action=redo]{{min-width:9.5em}}
.turnstepper .ts-use{{position:sticky;top:var(--top,0px);z-index:1;background:var(--paper);
margin:0;padding:4px 0}}
.turnstepper .ts-bar .ts-confirmed{{color:var(--good)}}
.turnstepper .ts-confirmed::before{{content:"✓ "}}
.turnstepper .ts-panes{{flex:1 1 0;min-width:0}}
.turnstepper td{{min-width:6.5em}}
.turnstepper tbody th{{color:var(--dim);font-weight:600}}
.turnstepper .ts-name{{display:inline-block;width:max-content;max-width:18em}}
.turnstepper [data-pane=compare] table{{table-layout:fixed}}
.turnstepper [data-pane=compare] thead th:first-child{{width:14em}}
.turnstepper [data-pane=compare] .ts-name{{max-width:100%}}
.turnstepper .ts-edited{{margin:8px 0;padding:4px 10px;border:1px solid var(--lit);
border-radius:6px;background:var(--lit-paper)}}
.turnstepper .ts-edited ul{{margin:2px 0;padding-left:18px}}
.turnstepper fieldset pre+.ts-bar{{margin-top:6px}}
@container(max-width:620px){{.turnstepper .ts-body{{flex-direction:column;gap:8px;
align-items:stretch}}
.turnstepper .ts-graph{{flex:none;position:static;max-width:none}}
.turnstepper div.ts-graph{{order:1}}
.turnstepper details.ts-graph{{border-top:1px solid var(--line);padding:5px 0}}
.turnstepper .ts-graph>summary{{display:list-item}}
.turnstepper .ts-graph>summary+div>p{{display:none}}
.turnstepper .ts-panes{{flex:none}}
.turnstepper .ts-bar [data-action=undo],.turnstepper .ts-bar [data-action=redo]{{min-width:0}}
.turnstepper .ts-graph svg{{max-height:420px}}
.turnstepper .ts-bar[role=toolbar]{{gap:4px}}
.turnstepper .ts-bar[role=toolbar] button{{padding:3px 7px}}
.turnstepper .ts-bar[role=toolbar] select{{max-width:11em}}
.turnstepper .ts-bar[role=toolbar] input{{width:9em}}
.turnstepper .ts-bar[role=toolbar]:not([data-all]) .ts-rare{{display:none}}
.turnstepper .ts-more{{display:block}}
.turnstepper .ts-name{{max-width:8.5em}}
.turnstepper [data-pane=compare] thead th:first-child{{width:8.5em}}
.turnstepper td{{min-width:4em}}
.turnstepper kbd{{display:none}}}}
.turnstepper details{{border-top:1px solid var(--line);padding:5px 0}}
.turnstepper summary{{cursor:pointer;font-weight:600}}
.turnstepper summary small{{font-weight:400;color:var(--dim);margin-left:8px}}
.turnstepper details>div{{margin-top:4px}}
.turnstepper .ts-content{{max-height:296px;max-height:max(296px,calc(round(down,45vh,18px) + 8px));
overflow:auto}}
.turnstepper details[data-mark=failed] pre{{color:var(--bad);border:1px solid var(--bad)}}
.turnstepper details[data-mark=failed]>summary{{color:var(--bad)}}
.turnstepper details[data-mark=waiting] pre{{border:1px solid var(--wait)}}
.turnstepper details[data-mark=waiting]>summary{{color:var(--wait)}}
.turnstepper :is(li,button,tbody tr>th,tbody tr>td)[data-mark=failed],
.turnstepper tbody tr[data-mark=failed]>*{{color:var(--bad)}}
.turnstepper :is(li,button)[data-mark=waiting]{{color:var(--wait)}}
.turnstepper pre,.turnstepper textarea,.turnstepper td{{
font:12px/1.5 ui-monospace,Menlo,Consolas,monospace;
white-space:pre-wrap;overflow-wrap:anywhere;word-break:normal;color:inherit}}
.turnstepper pre{{margin:0;padding:8px;background:var(--soft);border-radius:6px}}
.turnstepper textarea{{width:100%;min-height:62px;border:1px solid var(--line);border-radius:6px;
background:var(--paper);padding:6px 8px 0;resize:vertical;display:block;margin:2px 0 6px}}
.turnstepper textarea{{field-sizing:content;
max-height:max(242px,calc(round(down,100vh - 420px,18px) + 8px))}}
.turnstepper textarea.ts-tall{{min-height:242px}}
@supports not (field-sizing:content){{.turnstepper textarea.ts-tall{{height:50vh}}}}
.turnstepper textarea[aria-invalid=true]{{border-color:var(--bad)}}
.turnstepper table{{border-collapse:collapse;width:100%;margin:0;font-size:12px;table-layout:auto}}
.turnstepper.turnstepper :is(th,td){{text-align:left;vertical-align:top;
padding:3px 10px 3px 0;border:0;background:none}}
.turnstepper thead th:first-child{{width:1%;white-space:nowrap}}
.turnstepper th{{overflow-wrap:break-word}}
.turnstepper thead th{{color:var(--dim);font-weight:400}}
.turnstepper.turnstepper tr:nth-child(n){{background:none;border:0}}
.turnstepper.turnstepper thead{{border:0}}
.turnstepper details details{{border:1px solid var(--line);border-radius:6px;margin:6px 0;
padding:4px 10px}}
.turnstepper fieldset{{border:1px solid var(--line);border-radius:6px;margin:6px 0;padding:6px 10px;
min-width:0}}
.turnstepper legend{{font:600 12px ui-monospace,Menlo,Consolas,monospace;padding:0 4px}}
.turnstepper label{{color:var(--dim)}}
.turnstepper details details>div>div+div{{margin-top:14px}}
.turnstepper label:has(input){{display:inline-flex;align-items:center;gap:6px;margin-right:12px}}
.turnstepper details[data-pane=compare] .ts-content{{max-height:70vh}}
.turnstepper ol.ts-steps{{list-style:none;margin:0;padding:0}}
.turnstepper ol.ts-steps button{{width:100%;text-align:left;border-color:transparent;
background:none;min-height:0}}
.turnstepper ol.ts-steps button[aria-current]{{background:var(--lit-paper)}}
.turnstepper ol.ts-steps li[aria-current]{{font-weight:600}}
.turnstepper .ts-picture svg{{max-width:100%;height:auto}}
.turnstepper .ts-picture .turnchart{{background:none}}
.turnstepper .ts-picture text{{fill:var(--dim)}}
.turnstepper .turngraph .stage rect{{fill:var(--paper);stroke:var(--box)}}
.turnstepper .turngraph .end rect{{fill:var(--line);stroke:none}}
.turnstepper .turngraph .end[data-mark] rect{{fill:var(--paper)}}
.turnstepper .turngraph path{{stroke:var(--box)}}
.turnstepper .turngraph marker path{{fill:var(--box);stroke:none}}
.turnstepper .turngraph text{{fill:var(--ink)}}
.turnstepper .turngraph text.note{{fill:var(--dim)}}
.turnstepper .turngraph [data-mark=done] rect{{stroke:var(--good);stroke-width:2}}
.turnstepper .turngraph [data-mark=done] .mark{{fill:var(--good)}}
.turnstepper .turngraph [data-mark=next] rect{{stroke:var(--lit);stroke-width:3;
fill:var(--lit-paper)}}
.turnstepper .turngraph [data-mark=running] rect{{stroke:var(--lit);stroke-width:3}}
.turnstepper .turngraph :is([data-mark=waiting],[data-mark=retrying]) rect{{stroke:var(--wait);
stroke-width:3}}
.turnstepper .turngraph [data-mark=retrying] rect{{stroke-dasharray:5 3}}
.turnstepper .turngraph [data-mark=retrying] .mark{{fill:var(--wait)}}
.turnstepper .turngraph [data-mark=waiting] .mark{{fill:var(--wait)}}
.turnstepper .turngraph [data-mark=failed] rect{{stroke:var(--bad);stroke-width:3}}
.turnstepper .turngraph [data-mark=failed] .mark{{fill:var(--bad)}}
"""
"""Colors are variables, so that the page and the graph follow the notebook's theme. Some rules name
the class twice: they must win over Jupyter's own rules for tables in an output.
"""
