"use strict";
// A page of `study watch`: polls its server for a newer edition and has it replace this one.
(() => {
  const EVERY = 2000; // milliseconds
  const line = document.body.appendChild(document.createElement("p"));
  line.className = "live";
  line.setAttribute("role", "status");

  async function look() {
    const state = await (await fetch("live.json")).json();
    if (state.edition && state.edition !== document.documentElement.dataset.edition) await renew();
    if (line.textContent !== `live: ${state.line}`) line.textContent = `live: ${state.line}`;
  }

  async function renew() {
    const page = new DOMParser().parseFromString(await (await fetch("report.html")).text(), "text/html");
    if (!page.documentElement.dataset.edition) return;
    if (!document.documentElement.dataset.edition) return location.reload(); // a waiting page has nothing open to keep
    const main = document.importNode(page.querySelector("main"), true);
    const images = [...main.querySelectorAll("img")];
    await Promise.all(images.map((image) => image.decode().catch(() => {}))); // so that their heights are known at once
    document.dispatchEvent(new CustomEvent("newer-page", { detail: { page, main } }));
    document.documentElement.dataset.edition = page.documentElement.dataset.edition;
  }

  async function keepLooking() {
    try {
      await look();
    } catch {
      line.textContent = "no longer live: `study watch` has ended";
    }
    setTimeout(keepLooking, EVERY);
  }

  keepLooking();
})();
