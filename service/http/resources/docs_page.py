"""/docs: the OpenAPI document for people: one entry a path, uploads first, without scripts."""

from __future__ import annotations

import html
import re
from typing import Any

from markdown_it import MarkdownIt

from service.http.resources.docs_examples import EXAMPLES

STYLE = """
:root{--ink:light-dark(#16181d,#eceef2);--paper:light-dark(#fbfaf7,#131519);
--quiet:light-dark(#5c616b,#a0a6b1);--line:light-dark(#dedbd3,#2d3138);
--card:light-dark(#fff,#1b1e24);--accent:light-dark(#b3400f,#ff9d66);color-scheme:light dark}
*{box-sizing:border-box}
body{font:1rem/1.55 system-ui,sans-serif;max-width:58rem;margin:0 auto;padding:1.2rem 1rem 4rem;
background:var(--paper);color:var(--ink)}
h1{margin:.6rem 0 0;letter-spacing:-.03em;line-height:1.1}
h2{font-size:1.05rem;margin:0;overflow-wrap:anywhere;line-height:1.4}
h2 b{color:var(--accent);margin-right:.5rem}
a{color:var(--accent);text-underline-offset:.18em}
code,pre{font:.875rem/1.55 ui-monospace,Menlo,Consolas,monospace}
pre{overflow-x:auto;padding:.8rem 1rem;border:1px solid var(--line);border-radius:.6rem;
background:var(--card);margin:.7rem 0}
pre.answer{color:var(--quiet)}
section{border-top:1px solid var(--line);padding:1.4rem 0;scroll-margin-top:1rem}
section>p{margin:.4rem 0}
nav ul{list-style:none;margin:1rem 0 1.6rem;padding:0;columns:18rem;column-gap:2rem}
nav li{break-inside:avoid;overflow-wrap:anywhere;padding:.1rem 0}
summary{cursor:pointer;color:var(--quiet)}
dl{margin:.6rem 0;display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.35rem 1.2rem}
dt{font-weight:650}dt small{display:block;font-weight:400}dd{margin:0;min-width:0}
dd p{margin:0}small{color:var(--quiet)}
@media(max-width:36rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.7rem}}
"""
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def page(document: dict[str, Any]) -> str:
    """An OpenAPI document as HTML: contents, then every path, what it takes and answers."""
    info = document["info"]
    title = html.escape(f"{info['title']} {info['version']}")
    paths = _ordered(document["paths"])
    contents = "".join(
        f'<li><a href="#{_anchor(path)}"><code>{html.escape(path)}</code></a></li>'
        for path in paths
    )
    entries = "".join(_entry(path, document["paths"][path]) for path in paths)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style><header><a href='/'>The page</a> · "
        f"<a href='/openapi.json'>openapi.json</a><h1>{title}</h1>"
        f"{_markdown(info.get('summary', ''))}</header>"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav><main>{entries}</main></html>'
    )


def _ordered(paths: dict[str, Any]) -> list[str]:
    """As the examples stand; what has none comes last."""
    known = [path for path in EXAMPLES if path in paths]
    return [*known, *(path for path in paths if path not in EXAMPLES)]


def _anchor(path: str) -> str:
    return re.sub(r"\W+", "-", path).strip("-") or "root"


def _entry(path: str, operations: dict[str, Any]) -> str:
    found = [(method, operations[method]) for method in METHODS if method in operations]
    names = " ".join(method.upper() for method, _ in found)
    head = f"<h2><b>{names}</b><code>{html.escape(path)}</code></h2>"
    # HEAD says what GET says
    said = [(m, one) for m, one in found if m != "head" or "get" not in operations]
    several = len(said) > 1
    body = "".join(_operation(method, one, several=several) for method, one in said)
    return f'<section id="{_anchor(path)}">{head}{_example(path)}{body}</section>'


def _example(path: str) -> str:
    if path not in EXAMPLES:
        return ""
    example = EXAMPLES[path]
    return (
        f'<pre tabindex="0">{html.escape(example.curl)}</pre>'
        f'<pre class="answer" tabindex="0">{html.escape(example.answer)}</pre>'
    )


def _operation(method: str, operation: dict[str, Any], *, several: bool) -> str:
    text = operation.get("description") or operation.get("summary", "")
    name = f"<b>{method.upper()}</b>: " if several else ""
    takes = [
        (one["name"], _bounds(one["schema"]), one.get("description", ""))
        for one in operation.get("parameters", ())
        if one["in"] != "path"
    ]
    if "requestBody" in operation:
        body = operation["requestBody"]
        takes.insert(0, ("body", ", ".join(body["content"]), body.get("description", "")))
    answers = [
        (status, ", ".join(answer.get("content", ())), answer["description"])
        for status, answer in sorted(operation["responses"].items())
    ]
    return f"<p>{name}{_inline(text)}</p>{_folded('Takes', takes)}{_folded('Answers', answers)}"


def _folded(title: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    entries = "".join(
        f"<dt>{html.escape(name)} <small>{html.escape(note)}</small></dt><dd>{_markdown(text)}</dd>"
        for name, note, text in rows
    )
    is_open = " open" if title == "Takes" else ""
    return f"<details{is_open}><summary>{title}</summary><dl>{entries}</dl></details>"


def _markdown(text: str) -> str:
    rendered: str = _MARKDOWN.render(text)
    return rendered


def _inline(text: str) -> str:
    rendered: str = _MARKDOWN.renderInline(text)
    return rendered


def _bounds(schema: dict[str, Any]) -> str:
    kinds = [one.get("type", "") for one in schema.get("anyOf", (schema,))]
    words = [" or ".join(kind for kind in kinds if kind and kind != "null")]
    for one in schema.get("anyOf", (schema,)):
        low = one.get("minimum", one.get("exclusiveMinimum"))
        high = one.get("maximum", one.get("exclusiveMaximum"))
        if low is not None or high is not None:
            words.append(f"{'' if low is None else low} to {'' if high is None else high}")
        words += [", ".join(map(str, one["enum"]))] if "enum" in one else []
    if schema.get("default") is not None:
        words.append(f"default {schema['default']}")
    return "; ".join(words)
