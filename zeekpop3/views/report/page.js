// The table of mails and the view of one mail. Text from mails only becomes text nodes: this script makes no
// markup, URLs or code of it, and the page's policy forbids that.
"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const settings = JSON.parse(element("settings").textContent);
  const mails = JSON.parse(element("lines").textContent);
  const packs = document.querySelectorAll("script.pack");
  const [TS, UID, DEPTH, USER, FROM, TO, SUBJECT, SIZE, PARTS, REASON, TOP, CLIENT, SERVER, FILES, FLAGS] = [...Array(15).keys()];
  const PAGE = 50;

  const make = (tag, text, attributes) => {
    const made = document.createElement(tag);
    if (text !== undefined && text !== null) made.textContent = text;
    for (const name in attributes || {}) made.setAttribute(name, attributes[name]);
    return made;
  };
  // Text of a mail: isolated, so that its direction does not affect the page.
  const foreign = (text, unknown) => (text ? make("bdi", text) : make("span", unknown || "unknown", { class: "unknown" }));
  const two = (number) => String(number).padStart(2, "0");
  const time = (ms) => {
    const at = new Date(ms);
    return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
  };
  const human = (size) => {
    for (const unit of ["B", "kB", "MB", "GB"]) {
      if (size < 999.5) return (unit === "B" || size >= 99.5 ? Math.round(size) : size.toFixed(1)) + " " + unit;
      size /= 1000;
    }
    return size.toFixed(1) + " TB";
  };
  const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

  // The searchable text of each mail, built once.
  let haystack = null;
  const searchable = () => haystack || (haystack = mails.map((mail) =>
    [time(mail[TS]), mail[UID] + "/" + mail[DEPTH], mail[USER], mail[FROM], mail[TO], mail[SUBJECT], mail[CLIENT], mail[SERVER],
      settings.reasons[mail[REASON]], (mail[FLAGS] || []).join("\n"), mail[FILES].flat().join("\n")].join("\n").toLowerCase()));

  // The same for what the packs hold, once it was asked for: header, texts, links.
  let deep = null;
  const readAll = async () => {
    const texts = [];
    for (let index = 0; index < packs.length; index++) {
      element("status").textContent = `Reading the texts: ${Math.round((100 * index) / packs.length)} %`;
      for (const detail of await openPack(index))
        texts.push(detail ? JSON.stringify([detail.text, detail.html_text, detail.html, detail.urls, detail.headers, detail.facts]).toLowerCase() : "");
    }
    deep = texts;
  };
  const escaped = (word) => JSON.stringify(word).slice(1, -1);

  const columns = [
    { name: "Time (UTC)", spoken: "time", key: TS, least: true, cell: (mail) => make("time", time(mail[TS]), { datetime: new Date(mail[TS]).toISOString() }) },
    { name: "Subject", spoken: "subject", key: SUBJECT, text: true, cell: (mail, number) => subject(mail, number) },
    { name: "From", spoken: "from", key: FROM, text: true, wide: true, cell: (mail) => foreign(mail[FROM]) },
    { name: "User", spoken: "user", key: USER, text: true, wide: true, cell: (mail) => foreign(mail[USER]) },
    { name: "Size", spoken: "size", key: SIZE, number: true, least: true, cell: (mail) => document.createTextNode(human(mail[SIZE])) },
    { name: "Files", spoken: "number of files", key: PARTS, number: true, least: true, wide: true, cell: (mail) => document.createTextNode(mail[PARTS] ? String(mail[PARTS]) : "") },
    { name: "Complete", spoken: "reason", key: REASON, wide: true, least: true, cell: (mail) => document.createTextNode(mail[REASON] ? "no: " + settings.reasons[mail[REASON]] : "yes") },
  ];
  const subject = (mail, number) => {
    const button = make("button", null, { type: "button", class: "open", "aria-haspopup": "dialog" });
    button.append(foreign(mail[SUBJECT], "(no subject)"));
    button.dataset.mail = number;
    const both = document.createDocumentFragment();
    both.append(button);
    // A narrow page hides the column From and shows this line.
    const from = make("div", null, { class: "narrow-only" });
    from.append(foreign(mail[FROM]));
    both.append(from);
    if (mail[TOP]) both.append(" ", make("span", "preview", { class: "badge plain" }));
    if (mail[FLAGS]) both.append(" ", make("span", "suspicious", { class: "badge" }));
    if (mail[REASON]) both.append(" ", make("span", "incomplete", { class: "badge" }));
    return both;
  };

  const fields = {
    user: (mail, value) => (mail[USER] ?? "").toLowerCase() === value.toLowerCase(),
    from: (mail, value) => mail[FROM] === value,
    server: (mail, value) => mail[SERVER] === value,
    reason: (mail, value) => settings.reasons[mail[REASON]] === value,
    sha256: (mail, value) => mail[FILES].some((file) => file[1] === value),
  };
  const state = { sort: 0, down: true, page: 0, words: [], deep: false, incompleteOnly: false, suspiciousOnly: false, field: null, value: null };
  const collator = new Intl.Collator(undefined, { sensitivity: "base" });
  let shown = [];
  const ranks = new Map();

  // Each mail's rank by a text column, computed once: sorting by it is then as fast as by a number.
  const ranked = (key) => {
    if (!ranks.has(key)) {
      const distinct = [...new Set(mails.map((mail) => mail[key]))].sort(collator.compare);
      const places = new Map(distinct.map((text, place) => [text, place]));
      ranks.set(key, Uint32Array.from(mails, (mail) => places.get(mail[key])));
    }
    return ranks.get(key);
  };

  const choose = () => {
    const texts = state.words.length ? searchable() : null;
    shown = [];
    for (let number = 0; number < mails.length; number++) {
      const mail = mails[number];
      if ((state.incompleteOnly && !mail[REASON]) || (state.suspiciousOnly && !mail[FLAGS])) continue;
      if (state.field && !fields[state.field](mail, state.value)) continue;
      if (texts && !state.words.every((word) => texts[number].includes(word) || (state.deep && deep && deep[number] && deep[number].includes(escaped(word))))) continue;
      shown.push(number);
    }
    const column = columns[state.sort];
    const places = column.text ? ranked(column.key) : null;
    const value = places ? (number) => places[number] : (number) => mails[number][column.key];
    const sign = state.down ? -1 : 1;
    shown.sort((a, b) => sign * (value(a) - value(b)) || a - b);
    state.page = 0;
  };

  const draw = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const rows = document.createDocumentFragment();
    for (const number of shown.slice(state.page * PAGE, (state.page + 1) * PAGE)) {
      const mail = mails[number];
      const row = make("tr");
      for (const column of columns) {
        const cell = make("td", null, { class: classes(column) });
        cell.append(column.cell(mail, number));
        row.append(cell);
      }
      rows.append(row);
    }
    element("rows").replaceChildren(rows);
    element("list").scrollTop = 0;
    columns.forEach((column, number) => {
      const sorted = number === state.sort;
      column.head.setAttribute("aria-sort", sorted ? (state.down ? "descending" : "ascending") : "none");
      column.arrow.textContent = sorted ? (state.down ? " \u25bc" : " \u25b2") : "";
    });
    element("sort").value = state.sort + (state.down ? "d" : "u");
    const all = shown.length === mails.length;
    element("status").textContent = (all ? count(mails.length) : `${count(shown.length)} of ${count(mails.length)}`) +
      (mails.length === 1 ? " mail" : " mails") + ", by " + columns[state.sort].spoken + (state.down ? ", descending" : ", ascending");
    element("where").textContent = `page ${state.page + 1} of ${pages}`;
    element("first").disabled = element("previous").disabled = state.page === 0;
    element("next").disabled = element("last").disabled = state.page >= pages - 1;
    element("pages").hidden = pages === 1;
  };
  const classes = (column) => [column.number ? "n" : "", column.wide ? "wide-only" : "", column.least ? "least" : "most"].filter(Boolean).join(" ");
  const again = () => { choose(); draw(); };

  const only = (field, value, label) => {
    [state.field, state.value] = [field, value];
    element("chosen").hidden = !field;
    element("chosen-text").replaceChildren();
    if (field) element("chosen-text").append("Only " + label + " ", make("bdi", value));
    again();
  };

  columns.forEach((column, number) => {
    column.head = make("th", null, { scope: "col", class: classes(column) });
    const button = make("button", column.name, { type: "button" });
    column.arrow = make("span", "", { "aria-hidden": "true" });
    button.append(column.arrow);
    button.addEventListener("click", () => {
      state.down = number === state.sort ? !state.down : !column.text;
      state.sort = number;
      again();
    });
    column.head.append(button);
    element("heads").append(column.head);
    for (const [mark, word] of column.text ? [["u", "A to Z"], ["d", "Z to A"]] : [["d", "most first"], ["u", "least first"]]) {
      const option = make("option", `${column.name}, ${column.key === TS ? (mark === "d" ? "newest first" : "oldest first") : word}`, { value: number + mark });
      element("sort").append(option);
    }
  });
  element("sort").addEventListener("change", (event) => {
    state.sort = parseInt(event.target.value, 10);
    state.down = event.target.value.endsWith("d");
    again();
  });
  let typing = 0;
  const search = () => {
    state.words = element("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    again();
  };
  element("q").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, 120);
  });
  element("search").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    search();
  });
  for (const kind of ["incomplete", "suspicious"])
    element(kind + "-only").addEventListener("change", (event) => { state[kind + "Only"] = event.target.checked; again(); });
  element("deep").addEventListener("change", async (event) => {
    state.deep = event.target.checked;
    if (state.deep && !deep) {
      try {
        await readAll();
      } catch (error) {
        event.target.checked = state.deep = false;
        event.target.disabled = true;
      }
    }
    again();
  });
  element("show-all").addEventListener("click", () => { only(null, null); element("q").focus(); });
  const labels = { user: "user", from: "from", server: "server", reason: "incomplete:", sha256: "with attachment" };
  for (const [id, to] of [["first", () => 0], ["previous", () => state.page - 1], ["next", () => state.page + 1], ["last", () => Infinity]]) {
    element(id).addEventListener("click", () => { state.page = to(); draw(); });
  }

  // A pack is decompressed when one of its mails is first opened; the last eight are kept.
  const opened = new Map();
  const openPack = async (index) => {
    const letters = atob(packs[index].textContent);
    const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const details = Array(settings.pack).fill(null);
    for (const [place, detail] of JSON.parse(await new Response(stream).text())) details[place] = detail;
    return details;
  };
  const unpack = async (number) => {
    const index = Math.floor(number / settings.pack);
    if (index >= packs.length) return null;
    if (!opened.has(index)) {
      opened.set(index, await openPack(index));
      if (opened.size > 8) opened.delete(opened.keys().next().value);
    }
    return opened.get(index)[number % settings.pack];
  };

  const pairs = (entries) => {
    const list = make("dl", null, { class: "facts" });
    for (const [name, value] of entries) {
      const description = make("dd");
      description.append(typeof value === "string" ? foreign(value) : value);
      list.append(make("dt", name), description);
    }
    return list;
  };
  const grid = (heads, rows, label) => {
    const table = make("table");
    table.append(make("caption", label, { class: "hide" }));
    const head = make("thead");
    const line = make("tr");
    for (const name of heads) line.append(make("th", name, { scope: "col" }));
    head.append(line);
    const body = make("tbody");
    for (const row of rows) {
      const made = make("tr");
      row.forEach((text, place) => {
        const cell = place ? make("td") : make("th", null, { scope: "row" });
        cell.append(make("bdi", text));
        made.append(cell);
      });
      body.append(made);
    }
    table.append(head, body);
    const box = make("div", null, { class: "scroll", tabindex: "0", role: "group", "aria-label": label });
    box.append(table);
    return box;
  };
  const note = (text) => make("p", text, { class: "note" });
  const body = (text, label) => {
    const shown = make("pre", null, { tabindex: "0", role: "group", "aria-label": label });
    // One element per line, so that the direction of a line does not affect the next.
    for (const line of text.split("\n")) shown.append(make("span", line || " ", { dir: "auto", class: "line" }));
    return shown;
  };

  const sections = (detail) => {
    const made = [];
    const heading = (text) => made.push(make("h3", text));
    if (detail.text !== undefined) {
      heading("Text");
      made.push(body(detail.text, "Text"));
      if (detail.more_text) made.push(note(`Shortened: ${count(detail.more_text)} more characters.`));
    }
    if (detail.html_text !== undefined) {
      heading("Text of the HTML");
      made.push(body(detail.html_text, "Text of the HTML"));
      if (detail.more_html_text) made.push(note(`Shortened: ${count(detail.more_html_text)} more characters.`));
    }
    if (detail.html !== undefined) {
      const source = make("details");
      if (detail.text === undefined) source.open = true;
      source.append(make("summary", "HTML source (never rendered)"), body(detail.html, "HTML source"));
      if (detail.more_html) source.append(note(`Shortened: ${count(detail.more_html)} more characters.`));
      made.push(source);
    }
    if (detail.text === undefined && detail.html === undefined) made.push(note(settings.body ? "No text." : "This page leaves out the mails' texts."));
    if (detail.parts) {
      heading("Attachments");
      made.push(grid(["Name", "Type and content", "Size", "MD5", "SHA-1", "SHA-256"], detail.parts.map((part) => [part[0], part[1], human(part[2] || 0), part[3], part[4], part[5]]), "Attachments"));
      if (detail.more_parts) made.push(note(`${detail.more_parts} more.`));
    }
    if (detail.members) {
      heading("In the attachments");
      made.push(grid(["Path", "Part", "Type", "Size", "SHA-256"], detail.members.map((one) => [one[0], one[1], one[2], one[3] === null ? "" : human(one[3]), one[4]]), "In the attachments"));
      if (detail.more_members) made.push(note(`${detail.more_members} more.`));
    }
    for (const [part, from, subject, text] of detail.inside || []) {
      heading(`Message inside, part ${part}`);
      made.push(pairs([["From", from], ["Subject", subject]]), body(text, "Text of the message inside"));
    }
    if (detail.more_inside) made.push(note(`${detail.more_inside} more messages inside.`));
    if (detail.hits) {
      heading("Hits");
      made.push(grid(["Indicator", "Type", "Where", "Value"], detail.hits, "Hits"));
    }
    if (detail.urls) {
      heading("Links");
      const list = make("ul", null, { class: "urls" });
      for (const [url, target, shown] of detail.urls) {
        const item = make("li");
        item.append(make("bdi", url));
        if (target) item.append(" leads to ", make("bdi", target));
        if (shown && shown !== url) item.append(make("span", " shown as: ", { class: "unknown" }), make("bdi", shown));
        list.append(item);
      }
      made.push(list);
      if (detail.more_urls) made.push(note(`${detail.more_urls} more.`));
    }
    heading("Header");
    if (detail.headers) made.push(grid(["Field", "Value"], detail.headers, "Header"));
    else made.push(note("No header."));
    if (detail.more_headers) made.push(note(`${detail.more_headers} more fields.`));
    return made;
  };

  const dialog = element("mail");
  let place = -1;
  const show = async (number) => {
    const mail = mails[number];
    place = shown.indexOf(number);
    element("newer").disabled = place <= 0;
    element("older").disabled = place < 0 || place >= shown.length - 1;
    element("mail-h").replaceChildren(foreign(mail[SUBJECT], "(no subject)"));
    const facts = [
      ["From", mail[FROM]], ["To", mail[TO]],
      ["Fetched", `${time(mail[TS])} UTC (${mail[TOP] ? "TOP: only the beginning" : "RETR"})`],
      ["By user", mail[USER]], ["Client", mail[CLIENT]], ["Server", mail[SERVER]],
      ["Connection", `${mail[UID]}, mail ${mail[DEPTH]}`],
      ["Size", human(mail[SIZE])],
      ...(mail[FLAGS] ? [["Suspicious", mail[FLAGS].join("; ")]] : []),
      ["Complete", mail[REASON] ? "no: " + settings.reasons[mail[REASON]] : "yes"],
    ];
    const detail = element("detail");
    detail.replaceChildren(pairs(facts));
    if (!dialog.open) dialog.showModal();
    history.replaceState(null, "", "#mail=" + encodeURIComponent(mail[UID] + "/" + mail[DEPTH]));
    dialog.scrollTop = 0;
    element("mail-h").focus();
    let found;
    try {
      found = await unpack(number);
    } catch (error) {
      detail.append(note("Cannot open the details: this browser is too old."));
      return;
    }
    if (place !== shown.indexOf(number) || !dialog.open) return;
    if (found) detail.replaceChildren(pairs([...facts, ...found.facts]), ...sections(found));
    else detail.append(note("The details are left out, to keep the page small."));
    detail.dataset.mail = number;
  };
  element("newer").addEventListener("click", () => show(shown[place - 1]));
  element("older").addEventListener("click", () => show(shown[place + 1]));
  element("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => history.replaceState(null, "", location.href.split("#")[0]));
  // A link to one mail: report.html#mail=UID/DEPTH, or the beginning of it.
  const openLinked = () => {
    if (!location.hash.startsWith("#mail=")) return;
    let key = location.hash.slice(6);
    try { key = decodeURIComponent(key); } catch (error) { return; }
    const keys = mails.map((mail) => mail[UID] + "/" + mail[DEPTH]);
    const number = keys.includes(key) ? keys.indexOf(key) : keys.findIndex((other) => key && other.startsWith(key));
    if (number >= 0) show(number);
  };
  addEventListener("hashchange", openLinked);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  element("rows").addEventListener("click", (event) => {
    if (String(document.getSelection())) return;
    const row = event.target.closest("tr");
    const button = row && row.querySelector("button.open");
    if (button) { button.focus(); show(Number(button.dataset.mail)); }
  });
  document.querySelector("main").addEventListener("click", (event) => {
    const button = event.target.closest("button.find");
    if (!button) return;
    element("q").value = "";
    state.words = [];
    for (const kind of ["incomplete", "suspicious"]) state[kind + "Only"] = element(kind + "-only").checked = false;
    only(button.dataset.field, button.dataset.value, labels[button.dataset.field]);
    element("mails").scrollIntoView();
    element("mails").focus({ preventScroll: true });
  });

  // The list as shown, as CSV. A cell that a spreadsheet would take for a formula gets a ' in front.
  const csvCell = (value) => {
    const text = String(value);
    // Spreadsheets may separate cells at ; or tabs, too, and a line end within quotes does not hold them all back.
    const safe = typeof value === "string" ? text.replace(/(^|[;\t\n\r])((?:[^\S\t\n\r]|")*)([^\s";])/g, (found, separator, blanks, start) =>
      "=+-@\u2212".includes(start.normalize("NFKC").slice(0, 1) || " ") ? separator + "'" + blanks + start : found) : text;
    return /[";,\t\n\r]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
  };
  element("csv").addEventListener("click", () => {
    const heads = ["ts", "uid", "trans_depth", "user", "from", "to", "subject", "size", "files", "command", "incomplete", "suspicious", "client", "server"];
    const rows = shown.map((number) => mails[number]).map((mail) => [
      new Date(mail[TS]).toISOString(), mail[UID], mail[DEPTH], mail[USER], mail[FROM], mail[TO], mail[SUBJECT], mail[SIZE],
      mail[FILES].map((file) => file[0]).join("; "), mail[TOP] ? "TOP" : "RETR", settings.reasons[mail[REASON]], (mail[FLAGS] || []).join("; "), mail[CLIENT], mail[SERVER]]);
    const text = [heads, ...rows].map((row) => row.map(csvCell).join(",")).join("\n") + "\n";
    const link = make("a", null, { download: "mails.csv" });
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });

  element("search").hidden = element("list").hidden = false;
  again();
  openLinked();
  performance.mark("table");
})();
