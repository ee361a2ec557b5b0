// Which tasks are shown, and in which order.
const CHUNK = 48;
const LABELS = { done: "Done", failed: "Failed", cancelled: "Cancelled", rejected: "Rejected" };
const DEFAULTS = { q: "", status: "", model: "", sort: "time", order: "" };
const USUAL_ORDER = { time: "desc", name: "asc", duration: "desc", seed: "asc" };
const ORDERS = {
  time: ["Oldest first", "Newest first"],
  name: ["A to Z", "Z to A"],
  duration: ["Shortest first", "Longest first"],
  seed: ["Smallest first", "Largest first"],
};
const still = matchMedia("(prefers-reduced-motion: reduce)");

const find = (selector, root = document) => root.querySelector(selector);
const report = JSON.parse(find("#data").textContent);
const tasks = report.tasks.map((task) => ({ results: [], inputs: [], prompt: "", model: "", ...task }));
for (const task of tasks) task.files = [...task.results, ...task.inputs];
const state = { ...DEFAULTS };
let shown = [];
let drawn = 0;

// Everything is set as text: nothing in the data can become markup.
const make = (tag, text, name) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
};
const plural = (count, word) => `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;
const duration = (seconds) => {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60).toLocaleString()} h ${minutes % 60} min`;
};
const moment = (task) => {
  const value = Date.parse(task.timestamp);
  return Number.isNaN(value) ? null : value;
};
const nameOf = (task) => (task.results[0] ? task.results[0].name : task.task_id);

// The address bar holds the view, so that it can be shared: report.html#status=failed&sort=seed
function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(DEFAULTS)) state[key] = said.get(key) ?? DEFAULTS[key];
  if (!(state.sort in USUAL_ORDER)) state.sort = DEFAULTS.sort;
  if (!["asc", "desc"].includes(state.order)) state.order = "";
  for (const key of ["q", "status", "model", "sort"]) find(`#${key}`).value = state[key];
}

function writeAddress() {
  const said = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) if (value !== DEFAULTS[key]) said.set(key, value);
  history.replaceState(null, "", said.size ? `#${said}` : location.pathname + location.search);
}

const order = () => state.order || USUAL_ORDER[state.sort];

function matches(task, words) {
  if (state.status && task.status !== state.status) return false;
  if (state.model && task.model !== state.model) return false;
  if (!words.length) return true;
  task.text ??= [
    task.prompt, task.negative_prompt, task.task_id, task.model, task.seed, task.failure?.message,
    ...task.results.map((result) => result.name),
  ].join("\n").toLowerCase();
  return words.every((word) => task.text.includes(word));
}

const KEYS = {
  time: moment,
  name: nameOf,
  duration: (task) => task.seconds ?? null,
  seed: (task) => (/^-?\d+$/.test(task.seed ?? "") ? BigInt(task.seed) : null),
};
const words = new Intl.Collator(undefined, { numeric: true });

function compare(a, b) {
  if (typeof a === "string") return words.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function sorted(found) {
  const sign = order() === "desc" ? -1 : 1;
  const keyed = found.map((task) => [KEYS[state.sort](task), task]);
  // What has no key comes last, whatever the order.
  keyed.sort(([a, one], [b, other]) => {
    if (a === null || b === null) return (a === null) - (b === null) || one.index - other.index;
    return sign * (compare(a, b) || one.index - other.index);
  });
  return keyed.map(([, task]) => task);
}
