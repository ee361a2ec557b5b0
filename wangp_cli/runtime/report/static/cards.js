// One card for each task.

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
  if (task.notices) {
    find(".notices", card).hidden = false;
    find(".notices", card).textContent = task.notices.join("\n");
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

function refreshMotion() {
  document.querySelectorAll(".card .stage").forEach(playOrPause);
}
