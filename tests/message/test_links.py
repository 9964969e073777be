"""Links: where they lead, what gateways have made of them, and what their text shows."""

from __future__ import annotations

from html import escape

import pytest

from zeekpop3.inside import parse
from zeekpop3.message import links, urls
from zeekpop3.message.links import collect

# URL: scheme, host, site
HOSTS: dict[str, tuple[str | None, str, str | None]] = {
    "http://www.example.co.uk/x?y#z": ("http", "www.example.co.uk", "example.co.uk"),
    "HTTPS://WWW.Example.com:8443": ("https", "www.example.com", "example.com"),
    "https://xn--bcher-kva.example/": ("https", "bücher.example", "bücher.example"),
    "ftp://example.com/": ("ftp", "example.com", "example.com"),
    "//cdn.example/x": (None, "cdn.example", "cdn.example"),
    # As browsers read them.
    "http://bank.example@evil.example/": ("http", "evil.example", "evil.example"),
    "http://bank.example:443@evil.example:80/": ("http", "evil.example", "evil.example"),
    "http:\\\\evil.example\\bank.example": ("http", "evil.example", "evil.example"),
    "http:/evil.example": ("http", "evil.example", "evil.example"),
    "https:evil.example/x": ("https", "evil.example", "evil.example"),
    "http://%65vil.example/": ("http", "evil.example", "evil.example"),
    "http://evil.example?bank.example/": ("http", "evil.example", "evil.example"),
    "http://evil。example/": ("http", "evil.example", "evil.example"),
    # IPv4 addresses in every form, and IPv6.
    "http://192.0.2.7/": ("http", "192.0.2.7", None),
    "http://3221225991/": ("http", "192.0.2.7", None),
    "http://0xC0.0.0x207/": ("http", "192.0.2.7", None),
    "http://0300.0.2.7/": ("http", "192.0.2.7", None),
    "http://192.0.2.777/": ("http", "192.0.2.777", None),
    "http://[2001:DB8::1]:80/": ("http", "[2001:db8::1]", None),
    # No host.
    "mailto:a@b.example": ("mailto", "", None),
    "tel:+1": ("tel", "", None),
    "http://": ("http", "", None),
    "": (None, "", None),
}

# A link as a gateway rewrites it: where it leads
GATEWAYS: dict[str, str | None] = {
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.example%2F%3Fb%3D1&data=05%7C": (
        "https://a.example/?b=1"
    ),
    "https://urldefense.proofpoint.com/v1/url?u=http%3A//a.example/b&k=x": "http://a.example/b",
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__a.example_b-5Fc-3Fd-3D1&d=Dw&e=": (
        "https://a.example/b_c?d=1"
    ),
    "https://urldefense.com/v3/__https://a.example/b?c__;!!Abc!def$": "https://a.example/b?c",
    "https://urldefense.com/v3/__https:/a.example/b*c*d__;Iys!!Abc!def$": "https://a.example/b#c+d",
    "https://urldefense.us/v3/__https://a.example/**Bx__;w6TDtsO8!!Abc!d$": "https://a.example/äöüx",
    "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fa.example%2fb&c=E,1,x&typo=1": "https://a.example/b",
    "https://ddec1-0-en-ctp.trendmicro.com/wis/clicktime/v1/query?url=http%3a%2f%2fa.example&umid=1": (
        "http://a.example"
    ),
    "https://us-west-2.protection.sophos.com/?d=a.example&u=aHR0cHM6Ly9hLmV4YW1wbGUvYg==&i=x": (
        "https://a.example/b"
    ),
    "https://secure-web.cisco.com/1AbC-d_E/https%3A%2F%2Fa.example%2Fb%3Fc": "https://a.example/b?c",
    "https://protect2.fireeye.com/v1/url?k=1&q=1&u=https%3A%2F%2Fa.example%2F": "https://a.example/",
    "https://url.avanan.click/v2/r01/___https://a.example/b___.YXAz": "https://a.example/b",
    "https://www.google.com/url?q=https://a.example/b&sa=D": "https://a.example/b",
    "https://www.google.co.uk/url?sa=t&url=https%3A%2F%2Fa.example": "https://a.example",
    "https://www.google.com/amp/s/a.example/b?c": "https://a.example/b?c",
    "https://www.google.de/amp/a.example%2Fb": "http://a.example/b",
    "https://www.youtube.com/redirect?event=x&q=https%3A%2F%2Fa.example%2F": "https://a.example/",
    "https://www.linkedin.com/redir/redirect?url=https%3A%2F%2Fa%2Eexample&urlhash=x": "https://a.example",
    "https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9hLmV4YW1wbGUvYg&ntb=1": "https://a.example/b",
    "https://duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example&rut=1": "https://a.example",
    "https://adclick.g.doubleclick.net/pcs/click?xai=1&adurl=https://a.example/b": "https://a.example/b",
    "https://vk.com/away.php?to=http%3A%2F%2Fa.example&cc_key=": "http://a.example",
    # Rewritten twice
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2F%2F"
    "a.example__%3B%21%21A%21b%24": "https://a.example",
    # Opaque, broken, or something else of the same owner
    "https://protect-eu.mimecast.com/s/Abc?domain=a.example": None,
    "https://secure-web.cisco.com/1AbC-d_E": None,
    "https://www.google.com/search?q=http://a.example/": None,
    "https://www.youtube.com/results?q=http://a.example/": None,
    "https://www.linkedin.com/shareArticle?url=https%3A%2F%2Fa.example": None,
    "https://www.google.com/amp/": None,
    "https://www.bing.com/search?u=a1aHR0cHM6Ly9hLmV4YW1wbGUvYg": None,
    "https://outlook.com/?url=https%3A%2F%2Fa.example": None,
    "https://eur01.safelinks.protection.outlook.com/?data=1": None,
    "https://eur01.safelinks.protection.outlook.com/?url=javascript%3Aalert": None,
    "https://us-west-2.protection.sophos.com/?u=%%%": None,
    "https://urldefense.com/v3/__https://a.example/*__;%!!": None,
    "https://a.example/?url=https%3A%2F%2Fb.example": None,
}  # fmt: skip

# Text of a link: the site that it shows
SHOWN: dict[str, str | None] = {
    "www.bank.example.com": "example.com",
    "https://login.bank.co.uk/x": "bank.co.uk",
    "Go to bank.com now": "bank.com",
    "see Bank.com now": "bank.com",
    "BANK.COM": "bank.com",
    "(bank.com)": "bank.com",
    "bank.com.": "bank.com",
    "help@bank.com": "bank.com",
    "https://user@bank.com/": "bank.com",
    "www.bänk.com": "bänk.com",
    "Click here": None,
    "Click here.Now": None,
    "report.zip": None,
    "https://report.zip/": "report.zip",
    "https://portal.corp.example/payroll": "corp.example",
    "go to portal.corp.example": None,
    "node.js": None,
    "v1.2.3": None,
    "192.0.2.7": None,
    "": None,
}


@pytest.mark.parametrize("url", HOSTS)
def test_host_is_the_one_that_browsers_contact(url: str) -> None:
    """Scheme, host and site of each form of URL."""
    assert urls.split(url) == HOSTS[url]


@pytest.mark.parametrize("url", GATEWAYS)
def test_original_of_a_rewritten_link(url: str) -> None:
    """What a gateway has rewritten leads to its original; what is opaque or not a gateway's has none."""
    _, host, site = urls.split(url)
    assert links.original(url, host, site) == GATEWAYS[url]


@pytest.mark.parametrize("text", SHOWN)
def test_site_that_a_text_shows(text: str) -> None:
    """A host in the text of a link is what the reader believes to visit."""
    page = f"<a href='http://target.example/'>{escape(text)}</a>"
    raw = f"Content-Type: text/html; charset=utf-8\r\n\r\n{page}".encode()
    assert parse(raw).links[0].text_site == SHOWN[text]


def test_rewriting_ends() -> None:
    """A link that is rewritten many times is followed a few times only."""
    url = "https://a.example/"
    for _ in range(20):
        url = f"https://www.google.com/url?q={url.replace('%', '%25').replace('&', '%26')}"
    _, host, site = urls.split(url)
    assert (links.original(url, host, site) or "").startswith("https://www.google.com/url?q=")


def test_links_of_text_then_html() -> None:
    """Text gives links without a text; HTML gives its own; then what is only text in the HTML."""
    found, visible = collect(
        ["see http://a.example/1, http://a.example/1"], ['<a href="http://b.example/">www.bank.com</a>'], {}
    )
    assert [tuple(link) for link in found] == [
        (1, "http://a.example/1", None, "http", "a.example", "a.example", None, "text", None, None),
        (2, "http://b.example/", None, "http", "b.example", "b.example", "www.bank.com", "html", "bank.com",
         None),
        (3, "www.bank.com", None, None, "www.bank.com", "bank.com", None, "shown", None, None),
    ]  # fmt: skip
    assert visible == ["www.bank.com"]
    assert collect([], ["<p>x</p>", "<p>y</p>"], {}) == ([], ["x", "y"])


WITHOUT_SCHEME = {
    "WWW.a.example/1, Ftp.a.example": ["WWW.a.example/1", "Ftp.a.example"],
    "www.a. x.www.a.example a@www.a.example www.1": [],
    "see:www.a.example (www.b.example)": ["www.b.example"],
    "ms-word:ofe|u|http://a.example/1": ["ms-word:ofe|u|http://a.example/1", "http://a.example/1"],
    "see http:a.example/1, HTTPS:/a.example and http: a.example": ["http:a.example/1", "HTTPS:/a.example"],
    "xhttp:a.example http:words http://a.example/http:b.example": ["http://a.example/http:b.example"],
    "file:\\\\a.example\\x, ldaps://a.example/x and foo://a.example": [
        "file:\\\\a.example\\x", "ldaps://a.example/x"],
    "Search-MS:query=x&crumb=y search-ms: x-ms-word:a": ["Search-MS:query=x&crumb=y"],
    "\\\\a.example\\x \\\\a.example@SSL\\x \\\\\\a\\x c:\\\\a\\x": [
        "\\\\a.example\\x", "\\\\a.example@SSL\\x"],
    "HTTP:\\\\a.example https:\\a.example xhttp:\\a": ["HTTP:\\\\a.example", "https:\\a.example"],
    # What begins within a link does not hide the one behind a blank.
    "http://a.example/ms-word:1\xa0www.b.example": ["http://a.example/ms-word:1", "www.b.example"],
    "http://a.example/www.x.example\xa0search-ms:1": ["http://a.example/www.x.example", "search-ms:1"],
}  # fmt: skip


@pytest.mark.parametrize("text", WITHOUT_SCHEME)
def test_links_without_a_scheme(text: str) -> None:
    """Mail programs link these, too; each once, in the order of the text."""
    assert urls.in_text(text, {}) == WITHOUT_SCHEME[text]
    assert urls.may_be_in(text) or not WITHOUT_SCHEME[text]


SHOWN_LINKS = {
    # A reader sees another host than the one that the link leads to.
    "<a href=http://b.example/>bank.com</a>": ["bank.com"],
    "<a href=http://b.example/>go to www.bank.com/login</a>": ["www.bank.com/login"],
    "<a href=http://b.example/>https://bank.com/login</a>": ["https://bank.com/login"],
    "<a href=http://b.example/>help@bank.com</a>": [],
    "see http://a.example/1 and www.a.example/2": ["http://a.example/1", "www.a.example/2"],
    "http&#58;//a.<b>example/</b>1": ["http://a.example/1"],
    # It leads where it says.
    "<a href=http://bank.com/>bank.com</a> http://bank.com/": [],
    "<a href=http://www.bank.com/>www.bank.com</a>": [],
}  # fmt: skip


@pytest.mark.parametrize("html", SHOWN_LINKS)
def test_urls_and_hosts_that_html_shows(html: str) -> None:
    """What a reader sees as an address is a link of its own, unless something leads there."""
    found, _ = collect([], [html], {})
    assert [link.url for link in found if link.origin == "shown"] == SHOWN_LINKS[html]


def test_host_of_a_rewritten_link_is_the_target_s() -> None:
    """Host and site say where the link leads; the URL stays as it is written."""
    url = "https://eur01.safelinks.protection.outlook.com/?url=http%3A%2F%2Fwww.evil.example%2F"
    (link,), _ = collect([url], [], {})
    assert (link.url, link.target) == (url, "http://www.evil.example/")
    assert (link.scheme, link.host, link.site) == ("http", "www.evil.example", "evil.example")


@pytest.mark.parametrize("host", ["0x425c45de", "0x42.0x5c.0x45.0xde", "1113343454", "0102.92.17886"])
def test_addresses_in_other_notations(host: str) -> None:
    """Hosts that browsers take for an IPv4 address are that address; also where they end with a letter."""
    assert urls.split(f"http://{host}/a") == ("http", "66.92.69.222", None)


def test_many_links_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds over text and HTML."""
    monkeypatch.setattr("zeekpop3.message.links.MAX_LINKS", 3)
    defects: dict[str, None] = {}
    html = "".join(f'<a href="http://b.example/{i}">x</a>' for i in range(5))
    found, _ = collect(["http://a.example/1 http://a.example/2"], [html], defects)
    assert [link.origin for link in found] == ["text", "text", "html"]
    assert "urls_cut" in defects
