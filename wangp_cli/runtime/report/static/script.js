"use strict";
(() => {
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
  const tasks = report.tasks.map((task) => ({ results: [], prompt: "", model: "", ...task }));
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

  // Files are opened near the window and let go far from it: a browser holds few decoders.
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) isIntersecting ? load(target) : unload(target);
  }, { rootMargin: "500px" });
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.seen = isIntersecting;
      playOrPause(target);
    }
  }, { threshold: 0.3 });

  const motion = () => find("#motion").getAttribute("aria-pressed") !== "true" && !find("#viewer").open;

  function load(stage) {
    const media = find("video, img", stage);
    if (!media || media.hasAttribute("src")) return;
    media.src = stage.result.url;
    playOrPause(stage);
  }

  function unload(stage) {
    const video = find("video", stage);
    if (!video || !video.hasAttribute("src")) return;
    video.removeAttribute("src");
    video.load();
    delete video.dataset.state;
  }

  function playOrPause(stage) {
    const video = find("video", stage);
    if (!video || !video.hasAttribute("src")) return;
    const wanted = stage.pointed || (stage.seen && !still.matches);
    if (wanted && motion()) video.play().catch(() => {});
    else video.pause();
  }

  function forget(card) {
    const stage = find(".stage", card);
    near.unobserve(stage);
    seen.unobserve(stage);
    unload(stage);
  }

  function mediaOf(result, failed) {
    const media = make(result.kind === "image" ? "img" : result.kind);
    if (result.kind === "image") {
      media.alt = "";
      media.decoding = "async";
      media.addEventListener("load", () => { media.dataset.state = "ready"; });
    } else {
      Object.assign(media, { muted: true, loop: true, playsInline: true, preload: "metadata" });
      media.addEventListener("loadeddata", () => { media.dataset.state = "ready"; });
    }
    media.addEventListener("error", () => {
      if (!media.hasAttribute("src")) return;
      media.dataset.state = "broken";
      failed();
    });
    return media;
  }

  const visual = (result) => result.url && (result.kind === "video" || result.kind === "image");

  function present(card, task, index) {
    const stage = find(".stage", card);
    const [view, note, length] = [".view", ".note", ".length"].map((name) => find(name, card));
    const result = task.results[index];
    stage.result = result;
    view.replaceChildren();
    view.hidden = note.hidden = length.hidden = true;
    const say = (text) => {
      view.hidden = length.hidden = true;
      note.hidden = false;
      note.textContent = text;
    };
    if (!result) say(task.status === "done" ? "No file" : "Nothing was made");
    else if (result.missing) say(`Missing: ${result.name}`);
    else if (!visual(result)) say(result.name);
    else {
      view.hidden = false;
      view.setAttribute("aria-label", `Enlarge ${result.name}`);
      view.append(mediaOf(result, () => say(`This browser cannot show ${result.name}`)));
      view.onclick = () => enlarge(task, index);
      if (result.seconds) {
        length.hidden = false;
        length.textContent = duration(result.seconds);
      }
    }
    const open = find(".open", card);
    open.hidden = !result?.url;
    if (result?.url) {
      open.href = result.url;
      if (result.url.startsWith("data:")) {
        open.download = result.name;
        open.textContent = "Save file";
      }
    }
    find(".seed", card)?.replaceChildren(`seed ${result?.seed ?? task.seed}`);
    find(".results", card).querySelectorAll("button").forEach((button, place) => {
      button.setAttribute("aria-pressed", place === index);
    });
  }

  function factsOf(task) {
    const frames = task.frames === "1" ? "picture" : task.frames && `${task.frames} frames`;
    const facts = [
      task.model,
      task.size?.replace("x", "×"),
      frames && task.fps && task.frames !== "1" ? `${frames} at ${task.fps} fps` : frames,
      task.steps && `${task.steps} steps`,
    ].filter(Boolean).map((text) => make("span", text));
    if (task.seed !== undefined) facts.push(make("span", `seed ${task.seed}`, "seed"));
    return facts;
  }

  function whenOf(task) {
    const parts = [];
    if (task.seconds !== undefined) parts.push(make("span", `made in ${duration(task.seconds)}`));
    if (moment(task) !== null) {
      const time = make("time", new Date(task.timestamp).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }));
      time.dateTime = task.timestamp;
      parts.push(time);
    }
    if (task.attempts > 1) parts.push(make("span", plural(task.attempts, "attempt")));
    return parts;
  }

  function detailsOf(task) {
    const facts = [
      ["Task", task.task_id],
      ["Negative prompt", task.negative_prompt],
      ["Kind of error", task.failure?.kind],
      ["Files", task.results.map((result) => result.name + (result.missing ? " (missing)" : "")).join("\n")],
    ].filter(([, value]) => value).map(([name, value]) => [name, make("dd", value)]);
    if (task.command) {
      const place = make("dd");
      place.append(make("code", task.command));
      facts.push(["Makes it again", place]);
    }
    return facts.map(([name, value]) => {
      const pair = make("div");
      pair.append(make("dt", name), value);
      return pair;
    });
  }

  function cardOf(task) {
    const card = find("#card").content.cloneNode(true).firstElementChild;
    card.dataset.task = task.task_id;
    card.dataset.status = task.status;
    card.setAttribute("aria-label", task.prompt || task.task_id);
    find(".prompt", card).textContent = task.prompt || task.task_id;
    find(".facts", card).append(...factsOf(task));
    find(".when", card).append(...whenOf(task));
    if (task.status !== "done") {
      const badge = find(".badge", card);
      badge.hidden = false;
      badge.textContent = LABELS[task.status];
      badge.classList.add(task.status);
    }
    if (task.failure) {
      find(".failure", card).hidden = false;
      find(".reason", card).textContent = task.failure.message;
      find(".hint", card).textContent = task.failure.hint ?? "";
    }
    if (task.results.length > 1) {
      find(".results", card).hidden = false;
      find(".results", card).append(...task.results.map((result, index) => {
        const button = make("button", index + 1);
        button.type = "button";
        button.setAttribute("aria-label", `Result ${index + 1} of ${task.results.length}, ${result.name}`);
        button.onclick = () => {
          present(card, task, index);
          load(find(".stage", card));
        };
        return button;
      }));
    }
    const details = find("details", card);
    details.addEventListener("toggle", () => {
      if (!find("dl", details).children.length) find("dl", details).append(...detailsOf(task));
    });
    const copy = find(".copy", card);
    copy.hidden = !task.command;
    copy.onclick = () => copyText(task.command, copy);
    present(card, task, 0);
    const stage = find(".stage", card);
    for (const [event, pointed] of [["pointerenter", true], ["focusin", true], ["pointerleave", false], ["focusout", false]]) {
      stage.addEventListener(event, () => {
        stage.pointed = pointed;
        playOrPause(stage);
      });
    }
    near.observe(stage);
    seen.observe(stage);
    return card;
  }

  async function copyText(text, button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = make("textarea", text);
      button.after(field);
      field.select();
      done = document.execCommand("copy");
      field.remove();
      button.focus();
    }
    button.textContent = done ? "Copied" : "Could not copy";
    setTimeout(() => { button.textContent = "Copy command"; }, 1600);
  }

  let enlarged = null;

  function enlarge(task, index) {
    enlarged = { task, index };
    const result = task.results[index];
    const frame = find(".frame", find("#viewer"));
    const media = mediaOf(result, () => frame.replaceChildren(make("p", `This browser cannot show ${result.name}`)));
    if (result.kind === "video") Object.assign(media, { controls: true, autoplay: !still.matches });
    media.src = result.url;
    frame.replaceChildren(media);
    find(".prompt", find("#viewer")).textContent = task.prompt || task.task_id;
    find(".facts", find("#viewer")).replaceChildren(make("span", result.name), ...factsOf({ ...task, seed: result.seed ?? task.seed }));
    if (!find("#viewer").open) find("#viewer").showModal();
    refreshMotion();
  }

  function step(by) {
    const all = shown.flatMap((task) => task.results.map((result, index) => ({ task, index, result })))
      .filter((each) => visual(each.result));
    const place = all.findIndex((each) => each.task === enlarged.task && each.index === enlarged.index);
    const next = all[(place + by + all.length) % all.length];
    enlarge(next.task, next.index);
  }

  function refreshMotion() {
    document.querySelectorAll(".card .stage").forEach(playOrPause);
  }

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
})();
