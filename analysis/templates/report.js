"use strict";
// Tables of many trials: only one page of rows is in the document at a time.
(() => {
  const PAGE = 50;

  function show(value) {
    if (value === null) return "–";
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
  }

  function compare(left, right) {
    if (left === null || right === null) return (left === null) - (right === null); // unknown values come last
    return typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right));
  }

  const COMPARISONS = {
    "<": (left, right) => left < right,
    "<=": (left, right) => left <= right,
    ">": (left, right) => left > right,
    ">=": (left, right) => left >= right,
    "=": (left, right) => left === right,
  };

  function holds(row, columns, word) {
    const [, name, sign, bound] = word.match(/^([\w.]+)(<=|>=|<|>|=)(.+)$/) || [];
    const place = columns.indexOf(name);
    if (place >= 0 && bound.trim() !== "" && !Number.isNaN(Number(bound))) {
      return typeof row[place] === "number" && COMPARISONS[sign](row[place], Number(bound));
    }
    const [column, wanted] = word.split(/:(.*)/s);
    const index = wanted === undefined ? -1 : columns.indexOf(column);
    return (index >= 0 ? [row[index]] : row).some((cell) => show(cell).toLowerCase().includes(index >= 0 ? wanted : word));
  }

  function csv(columns, rows) {
    const quote = (cell) => {
      const text = cell === null ? "" : String(cell);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [columns, ...rows].map((row) => row.map(quote).join(",")).join("\n") + "\n";
  }

  function download(name, text) {
    const link = element("a", { download: name, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function spark(values) {
    const NAMESPACE = "http://www.w3.org/2000/svg";
    const heights = values.map((value) => (value !== null && value > 0 ? Math.log10(value) : null));
    const known = heights.filter((height) => height !== null);
    if (!known.length) return document.createTextNode("–");
    const low = Math.min(...known), span = Math.max(...known) - low || 1;
    const x = (index) => 3 + (114 * index) / Math.max(values.length - 1, 1);
    const y = (height) => 27 - (24 * (height - low)) / span;
    const svg = document.createElementNS(NAMESPACE, "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", "0 0 120 30");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `training loss from ${show(values[0])} to ${show(values[values.length - 1])}`);
    let path = "", pen = "M";
    heights.forEach((height, index) => {
      if (height === null) { pen = "M"; return; }
      path += `${pen}${x(index).toFixed(1)} ${y(height).toFixed(1)}`;
      pen = "L";
    });
    const line = document.createElementNS(NAMESPACE, "path");
    line.setAttribute("d", path);
    svg.append(line);
    const last = heights.lastIndexOf(known[known.length - 1]);
    const dot = document.createElementNS(NAMESPACE, "circle");
    dot.setAttribute("cx", x(last));
    dot.setAttribute("cy", y(heights[last]));
    dot.setAttribute("r", 2.5);
    svg.append(dot);
    return svg;
  }

  function element(name, properties, ...children) {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  }

  const data = (id) => JSON.parse(document.getElementById(id).textContent);
  let curves = data("curve-data");
  const WIDTH = 480, HEIGHT = 220, LEFT = 56, BOTTOM = 24;

  function chart(trial, description) {
    const { epoch, ...lines } = curves[trial];
    const known = Object.values(lines).flat().filter((value) => value !== null && value > 0).map(Math.log10);
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `curves of trial ${trial}` });
    const caption = element("figcaption", { textContent: `${trial}: ${description}` });
    const readout = element("div", { className: "caption", textContent: "— training loss   - - validation metric" });
    if (!known.length) return element("figure", {}, caption, "no positive value to draw");
    const low = Math.min(...known), span = Math.max(...known) - low || 1, last = epoch[epoch.length - 1] || 1;
    const x = (value) => LEFT + ((WIDTH - LEFT - 8) * value) / last;
    const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 12) * (Math.log10(value) - low)) / span;
    for (const part of [0, 0.5, 1]) {
      const value = 10 ** (low + part * span);
      svg.append(shape("text", { x: 4, y: y(value) + 4 }, show(Number(value.toPrecision(2)))));
      svg.append(shape("text", { x: Math.min(x(part * last), WIDTH - 34), y: HEIGHT - 6 }, String(Math.round(part * last))));
    }
    svg.append(shape("text", { x: WIDTH / 3, y: HEIGHT - 6 }, "epoch"));
    for (const [name, values] of Object.entries(lines)) {
      let path = "", pen = "M";
      values.forEach((value, index) => {
        if (value === null || value <= 0) { pen = "M"; return; }
        path += `${pen}${x(epoch[index]).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = "L";
      });
      svg.append(shape("path", { d: path, class: name }));
    }
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) * WIDTH) / box.width;
      const near = epoch.reduce((best, value, index) => (Math.abs(x(value) - at) < Math.abs(x(epoch[best]) - at) ? index : best), 0);
      readout.textContent = `epoch ${epoch[near]}: ` + Object.entries(lines).map(([name, values]) => `${name.replaceAll("_", " ")} ${show(values[near])}`).join(", ");
    });
    return element("figure", {}, caption, svg, readout);
  }

  function shape(name, attributes, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function openCurves(trial, description) {
    const place = document.getElementById("curves");
    const figure = curves[trial] ? chart(trial, description) : element("figure", {}, element("figcaption", { textContent: `${trial}: ${description}; no curve on this page, its history is in the results folder` }));
    place.append(figure);
    while (place.children.length > 2) place.firstChild.remove();
    place.scrollIntoView({ block: "nearest" });
  }

  function browse(place) {
    const { columns, sparks, ...first } = data(place.dataset.source);
    let rows = first.rows;
    const hidden = new Set();
    const trial = columns.indexOf("trial");
    let order = { index: -1, sign: 1 }, page = 0, kept = rows;

    const filter = element("input", { type: "search", placeholder: "filter, e.g. strict failed lr<=1e-3" });
    filter.setAttribute("aria-label", "filter");
    const back = element("button", { type: "button", textContent: "back" });
    const next = element("button", { type: "button", textContent: "next" });
    const state = element("span", { className: "state" });
    state.setAttribute("role", "status");
    const heads = columns.map((name, index) => {
      const button = element("button", { type: "button", textContent: name.replaceAll("_", " ") });
      button.addEventListener("click", () => {
        order = { index, sign: order.index === index ? -order.sign : 1 };
        page = 0;
        draw();
      });
      return element("th", {}, button);
    });
    const save = element("button", { type: "button", textContent: "CSV" });
    save.addEventListener("click", () => download(`${place.dataset.source}.csv`, csv(columns, kept)));
    const boxes = columns.map((name, index) => {
      const box = element("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        if (box.checked) hidden.delete(index);
        else hidden.add(index);
        draw();
      });
      return element("label", {}, box, ` ${name.replaceAll("_", " ")}`);
    });
    const choice = element("details", { className: "columns" }, element("summary", { textContent: "columns" }), ...boxes);
    const body = element("tbody", {});
    const headings = sparks ? [...heads, element("th", { textContent: "training loss" })] : heads;
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...headings)), body);
    place.append(element("div", { className: "tools" }, filter, back, next, save, state), choice, element("div", { className: "scroll" }, table));

    function cell(value, name, index) {
      const td = element("td", { textContent: show(value), className: name === "detail" ? "detail" : "" });
      if (name === "outcome") td.className = `${value}-text`;
      td.hidden = hidden.has(index);
      return td;
    }

    function draw() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      kept = rows.filter((row) => words.every((word) => holds(row, columns, word)));
      if (order.index >= 0) {
        kept = kept.toSorted((left, right) => {
          const a = left[order.index], b = right[order.index];
          return a === null || b === null ? compare(a, b) : order.sign * compare(a, b);
        });
      }
      const pages = Math.max(1, Math.ceil(kept.length / PAGE));
      page = Math.min(page, pages - 1);
      heads.forEach((head, index) => {
        head.hidden = hidden.has(index);
        if (index === order.index) head.setAttribute("aria-sort", order.sign > 0 ? "ascending" : "descending");
        else head.removeAttribute("aria-sort");
      });
      body.replaceChildren(
        ...kept.slice(page * PAGE, (page + 1) * PAGE).map((row) => {
          const tr = element("tr", {}, ...row.map((value, index) => cell(value, columns[index], index)));
          if (sparks) tr.append(element("td", {}, curves[row[trial]]?.train_loss ? spark(curves[row[trial]].train_loss) : "–"));
          tr.tabIndex = 0;
          tr.dataset.trial = row[trial];
          const open = () => openCurves(row[trial], columns.map((name, index) => `${name} ${show(row[index])}`).slice(1, 6).join(", "));
          tr.addEventListener("click", open);
          tr.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
          return tr;
        }),
      );
      back.disabled = page === 0;
      next.disabled = page >= pages - 1;
      state.textContent = `${kept.length} of ${rows.length} trials, page ${page + 1} of ${pages}`;
    }

    filter.addEventListener("input", () => { page = 0; draw(); });
    back.addEventListener("click", () => { page -= 1; draw(); });
    next.addEventListener("click", () => { page += 1; draw(); });
    draw();

    return () => {
      const focused = body.contains(document.activeElement) && document.activeElement.dataset.trial;
      rows = data(place.dataset.source).rows;
      draw();
      if (focused) body.querySelector(`[data-trial="${focused}"]`)?.focus({ preventScroll: true });
    };
  }

  const updates = [...document.querySelectorAll(".browser")].map(browse);

  // Keeps what the reader has typed, opened or scrolled to when a newer page replaces this one.
  function replace({ page, main: newer }) {
    const lasting = (section) => ["trials", "failures"].includes(section.id);
    const opened = new Set([...document.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent));
    const far = document.querySelector(".forest")?.scrollTop;
    const places = [...document.querySelectorAll("main [id]")].map(({ id }) => [id, topOf(id)]);
    const seen = places.filter(([, top]) => top >= 0 && top < innerHeight), above = places.filter(([, top]) => top < 0).reverse();

    const main = document.querySelector("main"), trials = document.getElementById("trials");
    [...main.children].filter((section) => !lasting(section)).forEach((section) => section.remove());
    let before = true;
    for (const section of [...newer.children]) {
      if (lasting(section)) before = false;
      else if (before) trials.before(section);
      else main.append(section);
    }
    for (const script of document.querySelectorAll("script[id]")) script.textContent = page.getElementById(script.id).textContent;
    curves = data("curve-data");
    updates.forEach((update) => update());

    for (const summary of main.querySelectorAll("details > summary")) {
      if (opened.has(summary.textContent)) summary.parentElement.open = true;
    }
    if (far) document.querySelector(".forest")?.scrollTo(0, far);
    const here = scrollY > 0 && [...seen, ...above].find(([id]) => document.getElementById(id));
    if (here) scrollBy(0, Math.round(topOf(here[0]) - here[1])); // a fraction would be truncated, always in the same direction
  }

  function topOf(id) {
    return document.getElementById(id).getBoundingClientRect().top;
  }

  document.addEventListener("newer-page", (event) => replace(event.detail));
})();
