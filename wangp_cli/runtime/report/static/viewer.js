// One result, as large as the window.

let enlarged = null;

function enlarge(task, index) {
  enlarged = { task, index };
  const result = task.files[index];
  const frame = find(".frame", find("#viewer"));
  fill(frame, pairOf(task, index), (text) => frame.replaceChildren(make("p", text)));
  for (const media of mediaIn(frame)) {
    if (media.tagName === "VIDEO") Object.assign(media, { controls: true, autoplay: !still.matches });
    media.src = media.source;
  }
  find(".prompt", find("#viewer")).textContent = titleOf(task);
  find(".facts", find("#viewer")).replaceChildren(make("span", result.name), ...factsOf({ ...task, seed: result.seed ?? task.seed }));
  if (!find("#viewer").open) find("#viewer").showModal();
  refreshMotion();
}

function step(by) {
  const all = shown.flatMap((task) => task.files.map((result, index) => ({ task, index, result })))
    .filter((each) => visual(each.result));
  const place = all.findIndex((each) => each.task === enlarged.task && each.index === enlarged.index);
  const next = all[(place + by + all.length) % all.length];
  enlarge(next.task, next.index);
}
