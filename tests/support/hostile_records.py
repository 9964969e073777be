"""Hostile mails against addresses, HTML, links, verdicts, signatures and enclosed messages; see
`hostile_mails`.
"""

from __future__ import annotations

import base64

from support.hostile_mails import PLAIN, filled, hostile, numbered

HTML = b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n"
SIGNED = (
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.example; s=x; h=From; b=YWJj;\r\n bh="
    + base64.b64encode(b"x" * 32)
)


def in_html(unit: bytes, size: int, head: bytes = b"", tail: bytes = b"") -> bytes:
    return filled(unit, size, HTML + head, tail)


# HTML: each unit has made a parser slow, large, or made it crash.
_UNITS: dict[str, bytes] = {
    "html_nested_divs": b"<div>",
    "html_nested_lists": b"<ul><li>",
    "html_nested_tables": b"<table><tr><td>a",
    "html_nested_formatting": b"<b><i><p>x",
    "html_open_tags": b"<a",
    "html_open_attributes": b'<a href="',
    "html_open_attributes_single": b"<a b='",
    "html_odd_quotes": b"<a '\"",
    "html_equals": b"<a =",
    "html_open_comments": b"<!--",
    "html_open_comments_dashes": b"<!---",
    "html_bogus_comments": b"<!x",
    "html_open_ends": b"</",
    "html_open_raw": b"<style>",
    "html_open_raw_ends": b"<style></styl",
    "html_less_than": b"<",
    "html_ampersands": b"&",
    "html_references": b"&#228;",
    "html_long_references": b"&#0000000000000000000000228;",
    "html_line_breaks": b"<br>",
    "html_short_texts": b"ab<b>",
    "html_cyrillic_texts": "ж<b>".encode(),
    "html_invisible": "\u200b\u200c ".encode(),
    "html_links": b"<a href=http://x.example/>a",
    "html_links_with_breaks": b"<a href=http://x.example/>ab<br>",
    "html_relative_links": b"<base href=http://x.example/><a href=y>",
    "html_images": b"<img src=http://x.example/a>",
    "html_refreshes": b'<meta http-equiv=refresh content="0;url=http://a.example/">',
    "html_bare_urls": b"http://a.example/b ",
    "html_hidden": b'<div style="display:none">x</div>',
    "html_hidden_open": b"<p style=display:none>",
    "html_hiding_words": b"display",
    "html_templates": b"<template>",
    "html_preformatted": b"<pre>\n",
    "html_one_word": b"x",
    "html_documents_in_documents": b"<iframe srcdoc='<iframe srcdoc=\"<iframe srcdoc=&quot;"
    b"<iframe srcdoc=&amp;quot;<iframe srcdoc=&amp;amp;quot;<a href=//a>>\">'>",
    "html_candidates": b"<img srcset='" + b"//a 1x," * 500 + b"'>",
    "html_bases_without_url": b"<base x>",
    "html_unknown_references": b"&zz ",
    "html_references_and_letters": b"&notzzzzz ",
    "html_titles": b"<title>&amp;</title>",
    "html_inputs": b"<input value=x>",
    "html_areas": b"<area href=x>",
    "html_inputs_in_links": b"<a href=//a><input value=b>",
    "html_scripts_as_links": b"<a href='javascript:http://a/'>",
    "html_links_of_handlers": b"<a href='search-ms:" + b"%41" * 200 + b"'>",
    "html_frames": b"<iframe><a href=//a></iframe>",
    "html_shown_in_hidden": b"<b style=visibility:hidden><i style=visibility:visible>",
    "html_closed_links": b"<svg><a href=//a /><b style=display:none />",
}


def _register(name: str, unit: bytes) -> None:
    def make(size: int) -> bytes:
        return in_html(unit, size)

    make.__name__ = name
    hostile(make)


for _name, _unit in _UNITS.items():
    _register(_name, _unit)


@hostile
def html_urls_of_a_style(size: int) -> bytes:
    return in_html(b"url(a)", size, b"<base href=http://a.example/><style>")


@hostile
def html_escapes_of_a_style(size: int) -> bytes:
    return in_html(rb"\61 ", size, b"<style>url(")


@hostile
def html_numbered_references(size: int) -> bytes:
    return numbered("&z%d;", size, HTML)


@hostile
def html_many_attributes(size: int) -> bytes:
    return in_html(b"a=b ", size, b"<a ", b">")


@hostile
def html_different_links(size: int) -> bytes:
    return numbered('<a href="http://x.example/%04d">a</a>', size, HTML)


@hostile
def html_different_hosts(size: int) -> bytes:
    return numbered('<a href="http://x%04d.example/">www.y.example</a>', size, HTML)


@hostile
def html_rewritten_links(size: int) -> bytes:
    return numbered(
        "<a href=https://x.safelinks.protection.outlook.com/?url=http%%3A%%2F%%2Fx%04d.example>a</a>",
        size,
        HTML,
    )


@hostile
def html_stars_in_a_rewritten_link(size: int) -> bytes:
    link = b"<a href=https://urldefense.com/v3/__https://a.example/" + b"*" * 8_000 + b"__;QUJD!!a>b</a>"
    return in_html(link, size)


@hostile
def html_parameters_in_a_rewritten_link(size: int) -> bytes:
    return in_html(b"<a href=https://www.google.com/url?" + b"q=&" * 2_500 + b">b</a>", size)


@hostile
def html_numbers_as_hosts(size: int) -> bytes:
    return numbered("<a href=http://0x%04d.1.1>a</a>", size, HTML)


@hostile
def html_link_texts_of_dots(size: int) -> bytes:
    return in_html(b"<a href=http://a.example/>" + b"a." * 500 + b"</a>", size)


@hostile
def addresses_in_quotes_open(size: int) -> bytes:
    return filled(b'"a\\" <', size, b"From: ", b"\r\n\r\nx\r\n")


@hostile
def addresses_in_brackets(size: int) -> bytes:
    return filled(b"<a", size, b"From: ", b"\r\n\r\nx\r\n")


@hostile
def addresses_after_addresses(size: int) -> bytes:
    return filled(b"a<b@c.example>d ", size, b"Reply-To: ", b"\r\n\r\nx\r\n")


@hostile
def addresses_without_at(size: int) -> bytes:
    return filled(b"x", size, b"From: ( ", b"\r\n\r\nx\r\n")


@hostile
def addresses_of_different_domains(size: int) -> bytes:
    return numbered("a@x%04d.xn--bcher-kva.example,", size, b"To: ", b"\r\n\r\nx\r\n")


@hostile
def addresses_of_long_domains(size: int) -> bytes:
    return filled(b"a@" + b"a." * 2_000 + b"example,", size, b"To: ", b"\r\n\r\nx\r\n")


@hostile
def addresses_in_punycode(size: int) -> bytes:
    return numbered("a@xn--%04d" + "9" * 55 + ".example,", size, b"To: ", b"\r\n\r\nx\r\n")


@hostile
def addresses_in_many_fields(size: int) -> bytes:
    return filled(b"Sender: a@b.example\r\nCc: c, d\r\n", size, b"", b"\r\nx\r\n")


@hostile
def verdicts_in_comments(size: int) -> bytes:
    return filled(b"(;(", size, b"Authentication-Results: a.example; ", b"\r\n\r\nx\r\n")


@hostile
def verdicts_in_quotes(size: int) -> bytes:
    return filled(b'"\\";', size, b"Authentication-Results: a.example; ", b"\r\n\r\nx\r\n")


@hostile
def verdicts_of_one_server(size: int) -> bytes:
    return filled(b"Authentication-Results: a.example; spf=pass; dkim=fail\r\n", size, b"", b"\r\nx\r\n")


@hostile
def signatures_of_different_lengths(size: int) -> bytes:
    fields = b"".join(SIGNED + b"; l=%d\r\n" % i for i in range(200))
    return filled(b"a \t b\r\n", size, fields + b"\r\n")


@hostile
def signature_of_blanks(size: int) -> bytes:
    return filled(b" ", size, SIGNED + b"\r\n\r\n")


@hostile
def signature_of_empty_lines(size: int) -> bytes:
    return filled(b"\r\n", size, SIGNED + b"\r\n\r\n")


@hostile
def signature_of_bare_line_ends(size: int) -> bytes:
    return filled(b"\n\r", size, SIGNED + b"\r\n\r\n")


@hostile
def signature_of_tags(size: int) -> bytes:
    return filled(b"a=b;", size, b"DKIM-Signature: ", b"\r\n\r\nx\r\n")


@hostile
def enclosed_in_enclosed_with_html(size: int) -> bytes:
    level = b"Content-Type: message/rfc822\r\n\r\n"
    return filled(b"<p>x ", size, level * 30 + HTML)


@hostile
def enclosed_with_many_addresses(size: int) -> bytes:
    part = b"--b\r\nContent-Type: message/rfc822\r\n\r\nTo: " + b"a@b.example," * 50 + b"\r\n\r\ny\r\n"
    return filled(part, size, b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n')


@hostile
def enclosed_in_base64_with_signatures(size: int) -> bytes:
    inner = base64.encodebytes(filled(b"a  b\r\n", size * 2 // 3, SIGNED + b"\r\n" + PLAIN))
    return b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + inner
