// One result, as large as the window.

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
