// The page around the cards.

function draw() {
  const said = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  shown = sorted(tasks.filter((task) => matches(task, said)));
  drawn = 0;
  for (const card of find("#cards").children) forget(card);
  find("#cards").replaceChildren();
  find("#count").textContent = shown.length === tasks.length
    ? plural(tasks.length, "task")
    : shown.length ? `${shown.length.toLocaleString()} of ${plural(tasks.length, "task")}` : "No task fits this filter";
  find("#order").textContent = ORDERS[state.sort][order() === "asc" ? 0 : 1];
  drawMore();
}

function drawMore() {
  const next = shown.slice(drawn, drawn + CHUNK);
  drawn += next.length;
  find("#cards").append(...next.map(cardOf));
  ending.unobserve(find("#more"));
  if (drawn < shown.length) ending.observe(find("#more"));
}

const ending = new IntersectionObserver(
  (entries) => entries.some((entry) => entry.isIntersecting) && drawMore(), { rootMargin: "1500px" },
);

function summarize() {
  const counts = {};
  const models = {};
  for (const task of tasks) {
    counts[task.status] = (counts[task.status] ?? 0) + 1;
    if (task.model) models[task.model] = (models[task.model] ?? 0) + 1;
  }
  const timed = tasks.filter((task) => task.seconds !== undefined);
  const moments = tasks.map(moment).filter((value) => value !== null);
  const names = Object.keys(models).sort(words.compare);
  const say = (name, value, mark = "") => {
    const pair = make("div", undefined, mark);
    pair.append(make("dt", name), make("dd", value));
    find("#summary").append(pair);
  };
  say("Tasks", tasks.length.toLocaleString());
  for (const [status, label] of Object.entries(LABELS)) {
    if (!counts[status]) continue;
    say(label, counts[status].toLocaleString(), status);
    find("#status").append(new Option(`${label} (${counts[status]})`, status));
  }
  if (timed.length) say("Time", duration(timed.reduce((sum, task) => sum + task.seconds, 0)));
  if (moments.length) {
    const last = moments.reduce((a, b) => Math.max(a, b));
    say("Last", new Date(last).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }));
  }
  if (names.length) say(names.length === 1 ? "Model" : "Models", names.join(", "));
  for (const name of names) find("#model").append(new Option(`${name} (${models[name]})`, name));
  if (report.skipped) {
    find("#skipped").hidden = false;
    find("#skipped").textContent = `${plural(report.skipped, "line")} of the run history could not be read and ${report.skipped === 1 ? "was" : "were"} left out.`;
  }
}

function change(key, value) {
  state[key] = value;
  if (key === "sort") state.order = "";
  writeAddress();
  draw();
}

tasks.forEach((task, index) => { task.index = index; });
summarize();
find("#q").addEventListener("input", (event) => change("q", event.target.value));
for (const key of ["status", "model", "sort"]) {
  find(`#${key}`).addEventListener("change", (event) => change(key, event.target.value));
}
find("#order").onclick = () => change("order", order() === "asc" ? "desc" : "asc");
find("#motion").onclick = ({ currentTarget: button }) => {
  const paused = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", paused);
  refreshMotion();
};
const viewer = find("#viewer");
find(".before", viewer).onclick = () => step(-1);
find(".after", viewer).onclick = () => step(1);
find(".close", viewer).onclick = () => viewer.close();
viewer.addEventListener("close", () => {
  find(".frame", viewer).replaceChildren();
  refreshMotion();
});
viewer.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    event.preventDefault();
    step(event.key === "ArrowLeft" ? -1 : 1);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !viewer.open && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    event.preventDefault();
    find("#q").focus();
  }
});
still.addEventListener("change", refreshMotion);
addEventListener("hashchange", () => {
  readAddress();
  draw();
});
readAddress();
draw();
