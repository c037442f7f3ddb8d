// The time slider: a native range input, the faults marked above its track, and the way back to now.
const SENT_EVERY_MS = 120;
const NO_NEWS_MS = 5000;  // a kernel that died or was restarted says nothing, so the page has to

export default {
  render({ model, el }) {
    el.classList.add("dfs-time");
    el.innerHTML = `<button type="button" class="dfs-live"></button>
      <div class="dfs-track"><div class="dfs-marks" aria-hidden="true"></div>
      <input type="range" min="0" step="0.1" aria-label="Moment that is shown, seconds since the start"></div>
      <output></output>`;
    const [live, range, marks, said] = ["button", "input", ".dfs-marks", "output"].map((part) => el.querySelector(part));
    let held = false, waiting = null, drawn = "", heard = performance.now();

    const label = (past, follows) => {
      if (!model.get("enabled")) return "■ ended";
      if (!follows) return past ? "⏭ to the end" : "■ the end";
      if (performance.now() - heard > NO_NEWS_MS) return "○ no news";
      return past ? "▶ back to live" : "● live";
    };
    const show = () => {
      const now = model.get("now"), at = model.get("at"), follows = model.get("follows");
      const past = at !== null && at !== undefined;
      if (!held) {
        range.min = model.get("begin").toFixed(1);
        range.max = Math.max(now, model.get("begin") + 0.1).toFixed(1);
        range.value = past ? at : range.max;
      }
      range.disabled = live.disabled = !model.get("enabled");
      live.textContent = label(past, follows);
      live.setAttribute("aria-pressed", String(!past));
      el.classList.toggle("past", past);
      said.textContent = past ? `${Number(at).toFixed(1)} s of ${now.toFixed(1)} s` : `${now.toFixed(1)} s`;
      range.setAttribute("aria-valuetext", past ? `${Number(at).toFixed(1)} seconds` : follows ? "now" : "the end");
    };
    const showMarks = () => {
      const min = Number(range.min), max = Number(range.max);
      const place = (time) => (100 * Math.min(Math.max(time - min, 0), max - min)) / (max - min);
      const wanted = model.get("marks").filter(([, end]) => end === null || end > min).map(([start, end, what, label]) => {
        const left = place(start), right = place(end ?? max);
        return [left.toFixed(2), Math.max(right - left, 0.25).toFixed(2), what.replaceAll(" ", "-"), label];
      });
      if (JSON.stringify(wanted) === drawn) return;
      drawn = JSON.stringify(wanted);
      marks.replaceChildren(...wanted.map(([left, width, what, label]) => {
        const mark = document.createElement("i");
        mark.className = what;
        mark.title = label;
        mark.style.cssText = `left:${left}%;width:${width}%`;
        return mark;
      }));
    };
    const send = (at) => {
      model.set("at", at);
      show();
      waiting ??= setTimeout(() => { waiting = null; model.save_changes(); }, SENT_EVERY_MS);
    };
    const all = () => { show(); showMarks(); };

    range.addEventListener("pointerdown", () => { held = true; });
    range.addEventListener("pointerup", () => { held = false; });
    range.addEventListener("pointercancel", () => { held = false; });
    range.addEventListener("input", () => send(Number(range.value)));
    range.addEventListener("keydown", (event) => event.stopPropagation());
    live.addEventListener("click", () => send(null));
    const names = ["change:now", "change:at", "change:marks", "change:enabled", "change:begin"];
    const hear = () => { heard = performance.now(); };
    model.on("change:now", hear);
    for (const name of names) model.on(name, all);
    const clock = setInterval(show, 1000);
    all();
    return () => {
      clearInterval(clock);
      model.off("change:now", hear);
      for (const name of names) model.off(name, all);
    };
  },
};
