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

const mediaIn = (stage) => [...stage.querySelectorAll("video, img")];
const videosIn = (stage) => mediaIn(stage).filter((media) => media.tagName === "VIDEO" && media.hasAttribute("src"));

function load(stage) {
  for (const media of mediaIn(stage)) if (!media.hasAttribute("src")) media.src = media.source;
  playOrPause(stage);
}

function unload(stage) {
  for (const video of videosIn(stage)) {
    video.removeAttribute("src");
    video.load();
    delete video.dataset.state;
  }
}

function playOrPause(stage) {
  const wanted = stage.pointed || (stage.seen && !still.matches);
  for (const video of videosIn(stage)) {
    if (wanted && motion()) video.play().catch(() => {});
    else video.pause();
  }
}

function forget(card) {
  const stage = find(".stage", card);
  near.unobserve(stage);
  seen.unobserve(stage);
  unload(stage);
}

function mediaOf(result, failed) {
  const picture = result.kind !== "video";
  const media = make(picture ? "img" : "video");
  media.source = result.preview ?? result.url;
  media.classList.toggle("clear", CLEAR.has(result.role) || result.preview !== undefined);
  if (picture) {
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

const visual = (result) => result.preview ?? (result.url && (result.kind === "video" || result.kind === "image"));

// Roles whose files may be transparent.
const CLEAR = new Set(["mask_foreground"]);
const WORDS = { mask_foreground: "foreground", mask_alpha: "alpha", rgba_archive: "archive" };
const PLAIN = new Set(["video", "image", "result"]);
const wordOf = ({ role, kind }, plain) => (
  kind === "folder" ? "frames" : PLAIN.has(role) ? plain : WORDS[role] ?? role
);

// What is shown together: a foreground and its alpha, else the input and the result of a tool.
function pairOf(task, index) {
  const file = task.files[index];
  const of = (role) => task.files.find((each) => each.role === role && visual(each));
  if (!visual(file)) return [file];
  if (file.role === "mask_foreground") return [file, of("mask_alpha")].filter(Boolean);
  if (PLAIN.has(file.role) || file.role === "partial") return [of("input"), file].filter(Boolean);
  return [file];
}

// Two videos of one length play in step.
function couple(place) {
  const [left, right] = place.querySelectorAll("video");
  left?.addEventListener("timeupdate", () => {
    const apart = Math.abs(left.currentTime - right?.currentTime);
    if (apart > 0.1 && Math.abs(left.duration - right.duration) < 0.2) right.currentTime = left.currentTime;
  });
}

function fill(place, files, say) {
  place.replaceChildren(...files.map((file) => {
    const part = make("span", undefined, "part");
    part.append(mediaOf(file, () => {
      part.remove();
      if (!place.children.length) say(`This browser cannot show ${file.name}`);
    }));
    if (files.length > 1) part.append(make("span", wordOf(file, "result"), "word"));
    return part;
  }));
  couple(place);
}

function present(card, task, index) {
  const stage = find(".stage", card);
  const [view, note, length] = [".view", ".note", ".length"].map((name) => find(name, card));
  const result = task.files[index];
  view.replaceChildren();
  view.hidden = note.hidden = length.hidden = true;
  const say = (text) => {
    view.hidden = length.hidden = true;
    note.hidden = false;
    note.textContent = text;
  };
  if (!result) say(task.status === "done" ? "No file" : "Nothing was made");
  else if (result.missing) say(`Missing: ${result.name}`);
  else if (!visual(result)) say(result.frames ? `${result.name}, ${plural(Number(result.frames), "frame")}` : result.name);
  else {
    view.hidden = false;
    view.setAttribute("aria-label", `Enlarge ${result.name}`);
    fill(view, pairOf(task, index), say);
    view.onclick = () => enlarge(task, index);
    const said = result.seconds ? duration(result.seconds) : result.preview && plural(Number(result.frames), "frame");
    if (said) {
      length.hidden = false;
      length.textContent = said;
    }
  }
  const open = find(".open", card);
  open.hidden = !result?.url;
  open.removeAttribute("download");
  if (result?.url) {
    const saved = result.url.startsWith("data:") || result.kind === "archive";
    open.href = result.url;
    if (saved) open.download = result.name;
    open.textContent = saved ? "Save file" : result.kind === "folder" ? "Open folder" : "Open file";
  }
  find(".seed", card)?.replaceChildren(`seed ${result?.seed ?? task.seed}`);
  find(".results", card).querySelectorAll("button").forEach((button, place) => {
    button.setAttribute("aria-pressed", place === index);
  });
}

// A tool has no prompt; its result is named after its input.
const titleOf = (task) => task.prompt || (task.tool && task.results[0]?.name) || task.task_id;

function factsOf(task) {
  const frames = task.frames === "1" ? "picture" : task.frames && `${task.frames} frames`;
  const facts = [
    task.tool,
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
  card.setAttribute("aria-label", titleOf(task));
  find(".prompt", card).textContent = titleOf(task);
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
  if (task.files.length > 1) {
    find(".results", card).hidden = false;
    find(".results", card).append(...task.files.map((result, index) => {
      const button = make("button", wordOf(result, index + 1));
      button.type = "button";
      const what = index >= task.results.length ? "Input" : `Result ${index + 1} of ${task.results.length}`;
      button.setAttribute("aria-label", `${what}, ${result.name}`);
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
