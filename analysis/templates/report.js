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
    if (left === null || right === null) return (left === null) - (right === null); // what is not known comes last
    return typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right));
  }

  function matches(row, columns, words) {
    return words.every((word) => {
      const [name, wanted] = word.split(/:(.*)/s);
      const index = columns.indexOf(name);
      const cells = wanted !== undefined && index >= 0 ? [row[index]] : row;
      const text = wanted !== undefined && index >= 0 ? wanted : word;
      return cells.some((cell) => show(cell).toLowerCase().includes(text));
    });
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
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function browse(place) {
    const { columns, rows, curves } = JSON.parse(document.getElementById(place.dataset.source).textContent);
    const trial = columns.indexOf("trial");
    let order = { index: -1, sign: 1 }, page = 0;

    const filter = element("input", { type: "search", placeholder: "filter, as: strict failed lr:0.1" });
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
    const body = element("tbody", {});
    const headings = curves ? [...heads, element("th", { textContent: "training loss" })] : heads;
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...headings)), body);
    place.append(element("div", { className: "tools" }, filter, back, next, state), element("div", { className: "scroll" }, table));

    function cell(value, name) {
      const made = element("td", { textContent: show(value), className: name === "detail" ? "detail" : "" });
      if (name === "outcome") made.className = `${value}-text`;
      return made;
    }

    function draw() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let kept = rows.filter((row) => matches(row, columns, words));
      if (order.index >= 0) {
        kept = kept.toSorted((left, right) => {
          const a = left[order.index], b = right[order.index];
          return a === null || b === null ? compare(a, b) : order.sign * compare(a, b);
        });
      }
      const pages = Math.max(1, Math.ceil(kept.length / PAGE));
      page = Math.min(page, pages - 1);
      heads.forEach((head, index) => {
        if (index === order.index) head.setAttribute("aria-sort", order.sign > 0 ? "ascending" : "descending");
        else head.removeAttribute("aria-sort");
      });
      body.replaceChildren(
        ...kept.slice(page * PAGE, (page + 1) * PAGE).map((row) => {
          const made = element("tr", {}, ...row.map((value, index) => cell(value, columns[index])));
          if (curves) made.append(element("td", {}, curves[row[trial]] ? spark(curves[row[trial]]) : "–"));
          return made;
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
  }

  document.querySelectorAll(".browser").forEach(browse);
})();
